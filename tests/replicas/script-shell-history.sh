cat "$HOME/.bash_history"
