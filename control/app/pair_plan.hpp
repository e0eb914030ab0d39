// From the configuration's words to those of the channel: what astil-vrrp is to do. Pure but for the key files, which
// are read when a configuration is applied.
#pragma once

#include <set>
#include <string>

#include "control/base/result.hpp"
#include "control/config/model.hpp"
#include "control/ha/channel.hpp"

namespace astil::app {

/// The secrets of a pair, read from its files.
struct PairKeys {
  ha::KeyRecord current, previous;
};

/// 64 hexadecimal digits, and maybe a line end; readable by its owner alone.
[[nodiscard]] Result<ha::KeyRecord> read_key(const std::string& path);
[[nodiscard]] Result<PairKeys> read_keys(const config::Ha& ha);

/// Addresses in `without` are left out, and groups that have no others.
[[nodiscard]] ha::Configuration plan_pair(const config::Ha& ha, const PairKeys& keys,
                                          const std::set<config::address>& without);

/// All addresses that move with a group; empty where the balancer is alone.
[[nodiscard]] std::set<config::address> moving_addresses(const config::Model& model);

[[nodiscard]] config::address from_record(const ha::AddressRecord& record);

}  // namespace astil::app
