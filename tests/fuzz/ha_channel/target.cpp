// The fuzzer of what astild and astil-vrrp may say to each other. The input is a message without its header, and its
// type.
#include <cstring>

#include "control/ha/channel.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {

void ha_channel(Input input) {
  if (input.empty()) return;
  (void)ha::parse_header(input);
  const ha::Header header{.type = static_cast<ha::MessageType>(input[0]),
                          .sequence = 1,
                          .length = static_cast<std::uint32_t>(sizeof(ha::Header) + input.size() - 1)};
  std::vector<std::byte> message(header.length);
  std::memcpy(message.data(), &header, sizeof header);
  std::memcpy(message.data() + sizeof header, input.data() + 1, input.size() - 1);
  if (const auto configuration = ha::parse_configuration(message)) {
    for (const ha::GroupRecord& group : configuration->groups) {
      require(group.address_count >= 1 && group.address_count <= group.addresses.size(),
              "addresses are within their array");
      require(group.peer_count <= group.peers.size(), "peers are within their array");
      require(group.track_count <= group.tracks.size(), "tracks are within their array");
      require(group.name.view().size() < group.name.text.size(), "a name ends");
    }
    require(ha::parse_configuration(ha::message_of(1, *configuration)) == configuration, "it comes through as it was");
  }
  if (const auto report = ha::parse_report(message))
    require(report->groups.size() == report->head.groups && report->paths.size() == report->head.paths,
            "counts are right");
  (void)ha::parse_record<ha::EngineRecord>(message);
  (void)ha::parse_record<ha::TracksRecord>(message);
}

}  // namespace astil::fuzz
