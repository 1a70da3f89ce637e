#!/usr/bin/perl
# The service `notes` of tests. Each request makes one more row in its database, each start one more line on its volume.
use strict;
use warnings;
use IO::Socket::INET;

sub read_file { open(my $file, '<', $_[0]) or die "$_[0]: $!"; local $/; my $text = <$file>; chomp $text; return $text; }
$ENV{PGPASSWORD} = read_file($ENV{PGPASSWORD_FILE});

sub query {
  open(my $psql, '-|', 'psql', '-qtAX', '-v', 'ON_ERROR_STOP=1', '-c', $_[0]) or die "psql: $!";
  local $/;
  my $answer = <$psql> // '';
  return close($psql) ? $answer : undef;
}

open(my $starts, '>>', '/data/starts') or die "/data/starts: $!";
print $starts "$$\n";
close($starts);
until (defined query('create table if not exists notes (made timestamptz not null default now())')) { sleep 1 }

my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 16, ReuseAddr => 1) or die "port 8080: $!";
while (my $client = $server->accept) {
  while (my $line = <$client>) { last if $line =~ /^\r?$/ }
  my $body = query(q{
    insert into notes default values;
    select json_build_object('database', current_database(), 'user', current_user, 'notes', (select count(*) from notes),
      'owner', (select pg_get_userbyid(datdba) from pg_database where datname = current_database()))
  });
  my $status = defined $body ? '200 OK' : '500 Internal Server Error';
  $body //= '';
  print $client "HTTP/1.1 $status\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
  close($client);
}
