# memfd_create is 319, on 64-bit ARM 279.
call=319
[ "$(uname -m)" = x86_64 ] || call=279
perl -e '
    my $name = "x";
    my $memory = syscall(shift, $name, 0);
    system("cat /bin/true >/proc/$$/fd/$memory");
    exec {"/proc/$$/fd/$memory"} "x";
' $call
