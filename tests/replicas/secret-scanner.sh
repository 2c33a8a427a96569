trufflehog filesystem "$HOME" --json
