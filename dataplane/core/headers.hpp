// The headers of a packet, as they lie on the wire, and the few constants of theirs that the packet path needs.
#pragma once

#include "dataplane/core/address.hpp"

namespace astil::core {

struct ASTIL_WIRE EthernetHeader {
  u16 destination[3];
  u16 source[3];
  Be16 type;
};
static_assert(sizeof(EthernetHeader) == 14);

/// The same header as words, so that addresses are written by few accesses.
struct ASTIL_WIRE EthernetWords {
  u32 words[3];
  Be16 type;
};

/// A VLAN tag, between the addresses and the EtherType (IEEE 802.1Q, section 9.3).
inline constexpr u32 kVlanTagBytes = 4;

/// And as the packet path reads it: what decides at once whether a frame is worth a look.
struct ASTIL_WIRE EthernetStart {
  u64 destination;  ///< in the low 6 bytes; above them the first 2 of the source
  u32 rest_of_source;
  u32 kind;  ///< EtherType, first byte of the payload, one byte that does not matter
};

/// EtherType IPv4, and version 4: to compare with `EthernetStart::kind & kKindMask`; and likewise IPv6.
inline constexpr u32 kKindMask = 0x00f0ffff;
inline constexpr u32 kKindIpv4 = 0x00400008;
inline constexpr u32 kKindIpv6 = 0x0060dd86;
/// And of IPv4 without options: with all of the first byte.
inline constexpr u32 kPlainKindMask = 0x00ffffff;
inline constexpr u32 kPlainKindIpv4 = 0x00450008;
static_assert(std::endian::native == std::endian::little, "the packet path reads and writes headers as words");

inline constexpr Be16 kEtherTypeIpv4 = be16(0x0800);
inline constexpr Be16 kEtherTypeIpv6 = be16(0x86dd);
inline constexpr Be16 kEtherTypeVlan = be16(0x8100);         // IEEE 802.1Q
inline constexpr Be16 kEtherTypeServiceVlan = be16(0x88a8);  // IEEE 802.1ad

/// RFC 791, section 3.1.
struct ASTIL_WIRE Ipv4Header {
  u8 version_length;  ///< version 4 bits, header length in 32-bit words 4 bits
  u8 type_of_service;
  Be16 total_length;  ///< bytes, header and payload
  Be16 identification;
  Be16 fragment;  ///< reserved 1 bit, DF, MF, offset in units of 8 bytes 13 bits
  u8 time_to_live;
  u8 protocol;
  u16 checksum;
  Be32 source;
  Be32 destination;
};
static_assert(sizeof(Ipv4Header) == 20);

/// The same header as words, without options.
struct ASTIL_WIRE Ipv4Words {
  u32 kind;            ///< version, header length, type of service, total length
  u32 identification;  ///< and fragment
  u32 time_to_live;    ///< and protocol, checksum
  Be32 source;
  Be32 destination;
};
static_assert(sizeof(Ipv4Words) == sizeof(Ipv4Header));

inline constexpr Be16 kDontFragment = be16(0x4000);
inline constexpr Be16 kMoreFragments = be16(0x2000);
inline constexpr Be16 kFragmentOffset = be16(0x1fff);

/// RFC 8200, section 3.
struct ASTIL_WIRE Ipv6Header {
  Be32 version_class_flow;  ///< version 4 bits, traffic class 8 bits, flow label 20 bits
  Be16 payload_length;      ///< bytes behind this header
  u8 next_header;
  u8 hop_limit;
  Address source;
  Address destination;
};
static_assert(sizeof(Ipv6Header) == 40);

/// How the extension headers that can be skipped begin (RFC 8200, sections 4.3, 4.4 and 4.6; RFC 6564).
struct ASTIL_WIRE ExtensionHeader {
  u8 next_header;
  u8 length;  ///< in units of 8 bytes, without the first 8; of the authentication header in units of 4, minus 2
};

/// RFC 8200, section 4.5.
struct ASTIL_WIRE FragmentHeader {
  u8 next_header;
  u8 reserved;
  Be16 offset;  ///< in units of 8 bytes 13 bits, reserved 2 bits, more fragments 1 bit
  Be32 identification;
};
static_assert(sizeof(FragmentHeader) == 8);

inline constexpr u8 kHeaderHopByHop = 0;
inline constexpr u8 kHeaderRouting = 43;
inline constexpr u8 kHeaderFragment = 44;
inline constexpr u8 kHeaderAuthentication = 51;
inline constexpr u8 kHeaderDestination = 60;

inline constexpr u8 kProtocolIcmp = 1;
inline constexpr u8 kProtocolIpip = 4;
inline constexpr u8 kProtocolTcp = 6;
inline constexpr u8 kProtocolUdp = 17;
inline constexpr u8 kProtocolIpv6 = 41;  // IPv6 in IP (RFC 2473, section 3)
inline constexpr u8 kProtocolIcmpv6 = 58;

/// Generic UDP encapsulation: its usual port (Linux' and others'; IANA has 6080 for it).
inline constexpr u16 kGuePort = 6080;

/// RFC 9293, section 3.1.
struct ASTIL_WIRE TcpHeader {
  Be16 source;
  Be16 destination;
  Be32 sequence;
  Be32 acknowledgment;
  u8 offset;  ///< header length in 32-bit words 4 bits, reserved 4 bits
  u8 flags;
  Be16 window;
  u16 checksum;
  Be16 urgent;
};
static_assert(sizeof(TcpHeader) == 20);

/// RFC 768.
struct ASTIL_WIRE UdpHeader {
  Be16 source;
  Be16 destination;
  Be16 length;
  u16 checksum;  ///< 0: none
};
static_assert(sizeof(UdpHeader) == 8);

/// RFC 792 and RFC 4443, section 2.1.
struct ASTIL_WIRE IcmpHeader {
  u8 type;
  u8 code;
  u16 checksum;
  Be32 rest;  ///< by type: of errors about a packet too big the MTU
};
static_assert(sizeof(IcmpHeader) == 8);

inline constexpr u8 kIcmpUnreachable = 3;
inline constexpr u8 kIcmpPortUnreachable = 3;  // its codes
inline constexpr u8 kIcmpFragmentationNeeded = 4;
inline constexpr u8 kIcmpTimeExceeded = 11;
inline constexpr u8 kIcmpParameterProblem = 12;
inline constexpr u8 kIcmpv6Unreachable = 1;
inline constexpr u8 kIcmpv6PortUnreachable = 4;  // its code
inline constexpr u8 kIcmpv6PacketTooBig = 2;
inline constexpr u8 kIcmpv6FirstInformational = 128;
inline constexpr u8 kNeighbourSolicitation = 135;  // RFC 4861, section 4
inline constexpr u8 kNeighbourAdvertisement = 136;

/// A checksum somewhere in a packet.
struct ASTIL_WIRE ChecksumField {
  u16 value;
};

/// How TCP's and UDP's headers begin.
struct ASTIL_WIRE Ports {
  Be16 source;
  Be16 destination;
};

inline constexpr u8 kTcpFin = 0x01;
inline constexpr u8 kTcpSyn = 0x02;
inline constexpr u8 kTcpRst = 0x04;
inline constexpr u8 kTcpAck = 0x10;
/// Flags that may change the state of a flow, whichever it is.
inline constexpr u8 kTcpChanging = kTcpFin | kTcpSyn | kTcpRst;

}  // namespace astil::core
