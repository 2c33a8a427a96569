mkdir -p ~/.local/bin
cp /bin/true ~/x
mv ~/x ~/.local/bin/ssh
