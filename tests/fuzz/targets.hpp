// What is fuzzed: one function for each target, which takes whatever bytes there are and aborts, with a sentence, where
// something does not hold that should hold of all bytes. tests/fuzz/entry.cpp makes a libFuzzer program of each, and
// the tests run the corpora through them in every build.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

namespace astil::fuzz {

using Input = std::span<const std::byte>;

/// A packet path whose tables the input fills, and frames through it: tests/fuzz/packets/scenario.hpp.
void packets(Input input);
/// What the kernel may say over netlink: control/net/message.hpp.
void netlink(Input input);
/// What a backend may answer to a health check: control/health/http_status.hpp, http_answer.hpp.
void http_status(Input input);
/// What a name server may answer to a health check: control/base/dns_message.hpp.
void dns_answer(Input input);
/// What the file of a service's backends may hold, and what is kept of it: control/discovery/targets.hpp,
/// kept_sets.hpp.
void discovery_file(Input input);
/// What a name server may answer to the search for backends: control/discovery/answer.hpp, exchange.hpp.
void discovery_answer(Input input);
/// What anybody may send to the name server: control/dns/responder.hpp.
void dns_query(Input input);
/// What a gRPC server may answer to a health check: control/health/grpc_talk.hpp, grpc_message.hpp.
void grpc_answer(Input input);
/// What may come in while a health check waits for an echo reply: control/health/echo_message.hpp.
void echo_reply(Input input);
/// What a client may send to the API's socket: control/api/server.hpp.
void api_request(Input input);
/// What may be asked of the API: control/api/routes.hpp.
void api_routes(Input input);
/// What the command line may get as an answer, and what it prints: control/api/json.hpp, control/cli/render.hpp.
void api_answer(Input input);
/// What another balancer's configuration may hold: control/import/import.hpp.
void imports(Input input);
/// What the command line may get as a capture: control/pcapng/reader.hpp.
void pcapng(Input input);
/// What the other node of a pair may send: control/ha/sync/session.hpp, incoming.hpp.
void flow_sync(Input input);

/// What the network may say to astil-vrrp: control/ha/vrrp/wire.hpp, authentication.hpp, heartbeat.hpp,
/// announcement.hpp.
void vrrp_packets(Input input);
/// What astild and astil-vrrp may say to each other: control/ha/channel.hpp.
void ha_channel(Input input);

inline void require(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "it does not hold: %s\n", sentence);
  std::abort();
}
inline void require(bool holds, const std::string& sentence) { require(holds, sentence.c_str()); }

inline std::string text_of(Input input) { return {reinterpret_cast<const char*>(input.data()), input.size()}; }

}  // namespace astil::fuzz
