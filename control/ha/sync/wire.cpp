#include "control/ha/sync/wire.hpp"

namespace astil::ha::sync {

std::size_t record_bytes(Kind kind) {
  switch (kind) {
    case Kind::hello:
      return sizeof(Hello);
    case Kind::names:
      return sizeof(Name);
    case Kind::flows4:
      return sizeof(Flow4);
    case Kind::flows6:
      return sizeof(Flow6);
    case Kind::ports4:
      return sizeof(Port4);
    case Kind::ports6:
      return sizeof(Port6);
    case Kind::ack:
      return sizeof(Ack);
    case Kind::state:
      return sizeof(State);
    case Kind::wants:
      return sizeof(Be32);
  }
  return 0;
}

std::optional<Envelope> parse_envelope(Bytes datagram) {
  if (datagram.size() < sizeof(Envelope) + kCodeBytes + sizeof(BodyHeader) || datagram.size() > kLongestDatagram)
    return std::nullopt;
  Envelope envelope;
  __builtin_memcpy(&envelope, datagram.data(), sizeof(envelope));
  if (core::host(envelope.magic) != kMagic || envelope.version != kWireVersion) return std::nullopt;
  return envelope;
}

std::optional<Body> parse_body(Bytes plain) {
  if (plain.size() < sizeof(BodyHeader)) return std::nullopt;
  BodyHeader header;
  __builtin_memcpy(&header, plain.data(), sizeof(header));
  const Bytes records = plain.subspan(sizeof(header));
  const std::size_t each = record_bytes(header.kind);
  const std::size_t count = core::host(header.count);
  if (each == 0 || records.size() != each * count) return std::nullopt;
  const bool single = header.kind == Kind::hello || header.kind == Kind::ack || header.kind == Kind::state;
  if (single ? count != 1 : count == 0) return std::nullopt;
  return Body{.kind = header.kind, .flags = header.flags, .count = count, .records = records};
}

}  // namespace astil::ha::sync
