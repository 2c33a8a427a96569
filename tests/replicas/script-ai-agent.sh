claude --dangerously-skip-permissions -p "list files"
