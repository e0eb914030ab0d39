// The native engine as tests need it. Its routing table says what the kernel's says in the namespace of
// kernel_world.cpp.
#include <algorithm>

#include "dataplane/native/native_dataplane.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

bool is_on_link(const core::Address& to) {
  if (!is_ipv4(to)) return std::equal(std::begin(to.words), std::begin(to.words) + 2, address("2001:db8:1::").words);
  constexpr std::uint32_t kHostPart = 0xff;
  const std::uint32_t number = host(ipv4_of(to));
  // All ones are everyone's; the lowest address is one as any other since Linux 5.14.
  return (number & ~kHostPart) == host(ip("192.0.2.0")) && (number & kHostPart) != kHostPart;
}

}  // namespace

core::NextHop route_in_tests(const core::Address& to, std::uint32_t length) {
  const bool own = to == address("192.0.2.1") || to == address("2001:db8:1::1") || to == address("2001:db8:1::");
  if (!is_on_link(to) || own) return {.status = core::NextHop::Status::no_route};
  if (length > kOutsideMtu) return {.status = core::NextHop::Status::too_big, .mtu = kOutsideMtu};
  if (!(to == address(kClient)) && !(to == address(kClient6))) return {.status = core::NextHop::Status::no_neighbour};
  return {.status = core::NextHop::Status::found,
          .interface = kOutside,
          .destination_mac = kClientMac,
          .source_mac = kOutsideMac};
}

namespace {

Exit exit_of(const core::Verdict& verdict) {
  if (verdict.interface != 0) return verdict.interface == kIngress ? Exit::back_out : Exit::other_interface;
  return core::action_of(verdict.reason) == core::Action::pass ? Exit::pass : Exit::drop;
}

class Native final : public TestEngine {
 public:
  explicit Native(const core::Sizes& sizes) : native_(sizes) {
    native_.route = [](const core::Address& to, const core::Address& /*from*/, std::uint32_t length) {
      return route_in_tests(to, length);
    };
    native_.on_drop = [this](const core::DropEvent& drop) { drops_.push_back(drop); };
  }

  [[nodiscard]] const dataplane::Tables& tables() const override { return native_.tables(); }
  std::vector<core::DropEvent> take_drops() override { return std::exchange(drops_, {}); }

  Exit run(Bytes& bytes) override {
    native::Frame frame(bytes);
    const core::Verdict verdict = native_.run(frame, kIngress);
    bytes.assign(frame.bytes().begin(), frame.bytes().end());
    return exit_of(verdict);
  }

 private:
  native::NativeDataplane native_;
  std::vector<core::DropEvent> drops_;
};

/// An engine of which the quick way of a flood is known to be taken, or not to be there.
class FloodEngine : public native::NativeEngine<> {
 public:
  using NativeEngine::NativeEngine;
  std::size_t* taken = nullptr;  ///< nullptr: there is none

  template <core::Part kPart, class Ip>
  core::Verdict part() {
    if (kPart == core::Part::flood && taken == nullptr) return {.reason = core::kToService};
    const core::Verdict verdict = core::run_part<kPart, Ip>(*this);
    if (kPart == core::Part::flood && verdict.reason != core::kToService) ++*taken;
    return verdict;
  }
};

class Flooded final : public TestEngine {
 public:
  Flooded(const core::Sizes& sizes, std::size_t* taken) : native_(sizes), taken_(taken) {
    around_.ingress = kIngress;
    around_.route = [](const core::Address& to, const core::Address& /*from*/, std::uint32_t length) {
      return route_in_tests(to, length);
    };
  }

  [[nodiscard]] const dataplane::Tables& tables() const override { return native_.tables(); }

  Exit run(Bytes& bytes) override {
    native::Frame frame(bytes);
    FloodEngine engine(native_.tables(), frame, around_);
    engine.taken = taken_;
    const core::Verdict verdict = core::run(engine);
    bytes.assign(frame.bytes().begin(), frame.bytes().end());
    return exit_of(verdict);
  }

 private:
  native::NativeDataplane native_;
  native::Surroundings around_;
  std::size_t* taken_;
};

}  // namespace

std::unique_ptr<TestEngine> engine_without_flood(const core::Sizes& sizes) {
  return std::make_unique<Flooded>(sizes, nullptr);
}
std::unique_ptr<TestEngine> engine_with_flood(const core::Sizes& sizes, std::size_t& taken) {
  return std::make_unique<Flooded>(sizes, &taken);
}

std::unique_ptr<TestEngine> native_engine(const core::Sizes& sizes) { return std::make_unique<Native>(sizes); }

}  // namespace astil::test
