#include "tests/packets/packet_samples.hpp"

namespace astil::test {
namespace {

enum class Version { ipv4, ipv6 };
constexpr Version kVersions[]{Version::ipv4, Version::ipv6};

std::string name_of(Version version) { return version == Version::ipv4 ? "ipv4" : "ipv6"; }

Packet from(Version version) {
  Packet packet = Packet().ethernet(mac(0x01), mac(0xc1));
  return version == Version::ipv4 ? packet.ipv4("192.0.2.10", "198.51.100.1")
                                  : packet.ipv6("2001:db8::a", "2001:db8:1::1");
}
Packet request(Version version) { return from(version).tcp(40000, 80, kSyn).payload(31); }

/// A router's or a host's "too big" (RFC 1191, RFC 4443).
Packet too_big(Version version, const Packet& quoted, std::size_t bytes) {
  return version == Version::ipv4 ? from(version).icmp_error(3, 4, 1400, quoted, bytes)
                                  : from(version).icmp_error(2, 0, 1400, quoted, bytes);
}
/// An IP header and 8 bytes.
std::size_t least_quote(Version version) { return version == Version::ipv4 ? 28 : 48; }

class Samples {
 public:
  Samples& add(std::string name, Bytes frame) {
    samples_.push_back({.name = std::move(name), .frame = std::move(frame)});
    return *this;
  }
  Samples& add(std::string name, const Packet& packet) { return add(std::move(name), packet.bytes()); }
  /// With another value of the byte at an offset.
  Samples& add_changed(std::string name, const Packet& packet, std::size_t offset, std::byte bits = std::byte{0x40}) {
    Bytes frame = packet.bytes();
    frame.at(offset) ^= bits;
    return add(std::move(name), std::move(frame));
  }
  Samples& add_cut(std::string name, const Packet& packet, std::size_t bytes) {
    Bytes frame = packet.bytes();
    frame.resize(bytes);
    return add(std::move(name), std::move(frame));
  }
  [[nodiscard]] std::vector<Sample> take() { return std::move(samples_); }

 private:
  std::vector<Sample> samples_;
};

void add_plain(Samples& samples, Version version) {
  const std::string name = name_of(version);
  for (std::size_t bytes = 0; bytes < 4; ++bytes) {
    samples.add(name + " tcp", from(version).tcp(40000, 80, kSyn | kAck).payload(bytes))
        .add(name + " udp", from(version).udp(40000, 53).payload(bytes));
  }
  samples.add(name + " tcp with an option", from(version).tcp(40000, 80, kSyn).mss(1400))
      .add(name + " tcp in a vlan", from(version).vlan(7).tcp(40000, 80, kSyn))
      .add(name + " tcp in a vlan in a vlan", from(version).vlan(7).vlan(8).tcp(40000, 80, kSyn))
      .add(name + " with every field", request(version).time_to_live(1).type_of_service(0xff).flow_label(0xfffff))
      .add(name + " echo request", from(version).echo_request(1, 2).payload(9))
      .add(name + " echo reply", from(version).echo_reply(1, 2).payload(9))
      .add(name + " another protocol", from(version).protocol(253).payload(9))
      .add(name + " last fragment", from(version).later_fragment(17, 1448, 20))
      .add(name + " middle fragment", from(version).later_fragment(6, 8, 24, Following::more))
      .add(name + " short error", too_big(version, request(version), least_quote(version)))
      .add(name + " longer error", too_big(version, request(version), least_quote(version) + 9))
      .add(name + " error with all", too_big(version, request(version), 0));
  Bytes padded = from(version).udp(40000, 53).bytes();
  padded.resize(padded.size() + 18);
  samples.add(name + " padded", padded);
}

void add_tunnels(Samples& samples, Version outer) {
  for (const Version inner : kVersions) {
    const std::string name = name_of(inner) + " in " + name_of(outer);
    samples.add(name, from(outer).carrying(request(inner)))
        .add(name + " by gue", from(outer).gue(55555, 6080).carrying(request(inner)))
        .add(name + " by gue with a header", from(outer).gue(55555, 6080).gue_header().carrying(request(inner)))
        .add(name + " twice", from(outer).carrying(from(outer).carrying(request(inner))));
  }
}

void add_faults(Samples& samples, Version version) {
  const std::string name = name_of(version) + " ";
  const std::size_t header = 14 + least_quote(version) - 8;
  const std::size_t last = request(version).bytes().size() - 1;
  samples.add(name + "tcp without a checksum", request(version).without_checksum())
      .add_changed(name + "tcp with another address", request(version), header - 1)
      .add_changed(name + "tcp with another port", request(version), header)
      .add_changed(name + "tcp with another checksum", request(version), header + 16)
      .add_changed(name + "tcp with another last byte", request(version), last)
      .add_changed(name + "tcp with another header length", request(version), header + 12)
      .add_changed(name + "udp with another checksum", from(version).udp(40000, 53), header + 6)
      .add_changed(name + "udp with a greater length", from(version).udp(40000, 53), header + 4)
      .add_changed(name + "echo with another checksum", from(version).echo_request(1, 2), header + 2)
      .add_changed(name + "error with another checksum", too_big(version, request(version), 48), header + 2)
      .add_changed(name + "error quoting another address", too_big(version, request(version), 0), header + 8 + 19)
      .add(name + "error quoting a wrong checksum", too_big(version, request(version).without_checksum(), 0))
      .add(name + "claiming one byte more", request(version).claims_length(static_cast<std::uint16_t>(
                                                last + 2 - (version == Version::ipv4 ? 14 : header))))
      .add(name + "claiming one byte less",
           request(version).claims_length(static_cast<std::uint16_t>(last - (version == Version::ipv4 ? 14 : header))))
      .add(name + "of another version", request(version).version(5))
      .add(name + "announced as the other version",
           request(version).ether_type(version == Version::ipv4 ? 0x86dd : 0x0800))
      .add_cut(name + "cut in ethernet", request(version), 13)
      .add_cut(name + "cut in ip", request(version), 30)
      .add_cut(name + "cut in tcp", request(version), header + 19)
      .add_cut(name + "cut at its end", request(version), last);
}

void add_faults_in_tunnels(Samples& samples, Version outer) {
  const std::size_t header = 14 + least_quote(outer) - 8;
  for (const Version inner : kVersions) {
    const std::string name = name_of(inner) + " in " + name_of(outer) + ", ";
    const std::size_t tcp = least_quote(inner) - 8;
    const Packet plain = from(outer).carrying(request(inner));
    const Packet gue = from(outer).gue(55555, 6080).carrying(request(inner));
    const Packet gue_header = from(outer).gue(55555, 6080).gue_header().carrying(request(inner));
    constexpr std::byte kOtherVersion{4U ^ 41U};
    samples.add_changed(name + "wrong checksum inside", plain, header + tcp + 16)
        .add_changed(name + "wrong protocol", plain, 14 + (outer == Version::ipv4 ? 9 : 6), kOtherVersion)
        .add_changed(name + "by gue, wrong checksum inside", gue, header + 8 + tcp + 16)
        .add_changed(name + "by gue, shorter udp", gue, header + 5, std::byte{1})
        .add_changed(name + "by gue, another variant", gue, header + 8, std::byte{0x80})
        .add_changed(name + "by gue, with a header, wrong checksum inside", gue_header, header + 12 + tcp + 16)
        .add_changed(name + "by gue, with a header, wrong protocol", gue_header, header + 9, kOtherVersion);
  }
}

}  // namespace

std::vector<Sample> right_samples() {
  Samples samples;
  for (const Version version : kVersions) {
    add_plain(samples, version);
    add_tunnels(samples, version);
  }
  const auto ipv4 = [] { return from(Version::ipv4); };
  const auto ipv6 = [] { return from(Version::ipv6); };
  samples.add("ipv4 udp without a checksum", ipv4().udp(40000, 53).without_checksum().payload(3))
      .add("ipv4 with options", ipv4().options(10).tcp(40000, 80, kSyn))
      .add("ipv4 first fragment", ipv4().fragment(kMoreFragmentsBit).udp(40000, 53).payload(64))
      .add("ipv6 first fragment", ipv6().fragment_header(0, Following::more, 9).udp(40000, 53).payload(64))
      .add("ipv6 whole with a fragment header",
           ipv6().fragment_header(0, Following::nothing, 9).udp(40000, 53).payload(64))
      .add("ipv6 with every extension",
           ipv6().hop_by_hop().destination_options(1).routing(2).authentication(2).destination_options().tcp(40000, 80,
                                                                                                             kSyn))
      .add("ipv6 with long extensions", ipv6().hop_by_hop(255).destination_options(100).udp(40000, 53))
      .add("ipv6 error about extensions",
           ipv6().icmp_error(1, 4, 0, ipv6().hop_by_hop().destination_options(1).udp(40000, 53).payload(5)));
  return samples.take();
}

std::vector<Sample> broken_samples() {
  Samples samples;
  for (const Version version : kVersions) {
    add_faults(samples, version);
    add_faults_in_tunnels(samples, version);
  }
  samples.add("a length in place of the ethernet type", request(Version::ipv4).ether_type(72))
      .add_changed("ipv4 header with another checksum", request(Version::ipv4), 14 + 10)
      .add_changed("ipv4 header with other hops", request(Version::ipv4), 14 + 8)
      .add_changed("ipv4 option changed", request(Version::ipv4).options(2), 14 + 21)
      .add("ipv4 with a header below its least", request(Version::ipv4).claims_header_words(4))
      .add("ipv4 with a header over tcp's", request(Version::ipv4).claims_header_words(9))
      .add("ipv4 with a length of 0", request(Version::ipv4).claims_length(0))
      .add_changed("ipv4 in ipv4, other hops inside", from(Version::ipv4).carrying(request(Version::ipv4)), 34 + 8)
      .add("ipv6 udp without a checksum", from(Version::ipv6).udp(40000, 53).without_checksum())
      .add_changed("ipv6 with an extension beyond its end",
                   from(Version::ipv6).destination_options().tcp(40000, 80, kSyn), 54 + 1);
  return samples.take();
}

std::vector<Sample> partial_samples() {
  Samples samples;
  for (const Version version : kVersions) {
    const Packet inner = request(version).checksum_partial();
    samples.add(name_of(version) + " tcp", inner)
        .add(name_of(version) + " udp in a vlan", from(version).vlan(7).udp(40000, 53).payload(3).checksum_partial())
        .add(name_of(version) + " tunnelled", from(Version::ipv4).carrying(inner))
        .add(name_of(version) + " tunnelled by gue", from(Version::ipv6).gue(55555, 6080).gue_header().carrying(inner));
  }
  samples.add(
      "ipv6 behind extensions",
      from(Version::ipv6).destination_options(1).authentication().tcp(40000, 80, kSyn).payload(5).checksum_partial());
  return samples.take();
}

}  // namespace astil::test
