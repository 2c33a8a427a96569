cp /usr/bin/true x
exec 3<x
rm x
/proc/self/fd/3
