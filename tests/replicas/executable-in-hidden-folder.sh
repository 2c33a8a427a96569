mkdir -p "$HOME/.config/sysmon" && touch "$HOME/.config/sysmon/x" && chmod 755 "$HOME/.config/sysmon/x"
