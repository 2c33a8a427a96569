git config --global core.hooksPath "$HOME/.hooks"
