// The native engine as tests need it. Its routing table says what the kernel's says in the namespace of
// kernel_world.cpp.
#include "dataplane/native/native_dataplane.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

core::NextHop route(core::Be32 to, std::uint32_t length) {
  constexpr std::uint32_t kHostPart = 0xff;
  const std::uint32_t host_part = host(to) & kHostPart;
  const bool on_link = (host(to) & ~kHostPart) == host(ip("192.0.2.0"));
  const bool unicast =
      host_part != 0 && host_part != 1 && host_part != kHostPart;  // not the net's, our own, everyone's
  if (!on_link || !unicast || length > kOutsideMtu) return {.status = core::NextHop::Status::no_route};
  if (to != ip(kClient)) return {.status = core::NextHop::Status::no_neighbour, .neighbour = to, .interface = kOutside};
  return {.status = core::NextHop::Status::found,
          .neighbour = to,
          .interface = kOutside,
          .destination_mac = kClientMac,
          .source_mac = kOutsideMac};
}

class Native final : public TestEngine {
 public:
  explicit Native(const core::Sizes& sizes) : native_(sizes) {
    native_.route = [](core::Be32 to, core::Be32 /*from*/, std::uint32_t length) { return route(to, length); };
  }

  [[nodiscard]] const dataplane::Tables& tables() const override { return native_.tables(); }

  Exit run(Bytes& bytes) override {
    native::Frame frame(bytes);
    const core::Verdict verdict = native_.run(frame, kIngress);
    bytes.assign(frame.bytes().begin(), frame.bytes().end());
    if (verdict.interface != 0) return verdict.interface == kIngress ? Exit::back_out : Exit::other_interface;
    return core::action_of(verdict.reason) == core::Action::drop ? Exit::drop : Exit::pass;
  }

 private:
  native::NativeDataplane native_;
};

}  // namespace

std::unique_ptr<TestEngine> native_engine(const core::Sizes& sizes) { return std::make_unique<Native>(sizes); }

}  // namespace astil::test
