cat "$HOME/.config/gh/hosts.yml"
