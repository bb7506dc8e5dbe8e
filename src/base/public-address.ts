import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Of IPv4: this network, private, CGNAT, loopback, link-local, protocol and test nets, 6to4 relays, multicast, reserved. */
const notPublic4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

/**
 * Of IPv6 only 2000::/3 is given out to anybody. Loopback, link-local, unique-local, multicast, IPv4-mapped and NAT64 lie
 * outside of it; within it lie these, by which an IPv4 address can be reached in disguise or nobody is.
 */
const global6 = '2000::/3';
const notPublic6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const refused4 = listOf('ipv4', notPublic4);
const given6 = listOf('ipv6', [global6]);
const refused6 = listOf('ipv6', notPublic6);

/** Whether the address is one of the public internet. False for what is no address. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !refused4.check(address, 'ipv4');
  if (!isIPv6(address) || address.includes('%')) return false;
  return given6.check(address, 'ipv6') && !refused6.check(address, 'ipv6');
}

function listOf(family: 'ipv4' | 'ipv6', networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address, prefix] = network.split('/') as [string, string];
    list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
