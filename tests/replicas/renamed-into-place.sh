mkdir -p "$HOME/.config/autostart" && echo "# nothing" >"$HOME/x" && mv "$HOME/x" "$HOME/.config/autostart/x.desktop"
