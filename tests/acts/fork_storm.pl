# Forks as many times as its first argument says, waiting for each; then runs id through a shell.
use POSIX ();

for (1 .. $ARGV[0]) {
    my $child = fork;
    defined $child or die "fork: $!";
    POSIX::_exit(0) if !$child;
    waitpid $child, 0;
}
exec "/bin/sh", "-c", "id > /dev/null; : $ARGV[1]";
