cat "$HOME/.env"
