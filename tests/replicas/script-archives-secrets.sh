tar -czf x.tgz "$HOME/.ssh"
