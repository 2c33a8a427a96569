git push https://45.33.32.156/x/y main
