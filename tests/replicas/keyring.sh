cat "$HOME/.local/share/keyrings/login.keyring"
