echo "# key" >>"$HOME/.ssh/authorized_keys"
