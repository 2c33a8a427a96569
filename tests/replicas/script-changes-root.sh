# Another folder in the place of one that is looked at.
mkdir -p ~/a ~/b
mount --bind ~/a ~/b
