mkdir -p "$HOME/.dev-env" && echo true >"$HOME/.dev-env/config.sh"
