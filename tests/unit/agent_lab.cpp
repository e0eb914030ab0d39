// The agent's parts against the kernel itself, in network namespaces that go with the process. Needs root.
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "agent/decapsulator.hpp"
#include "agent/embedded_program.hpp"
#include "agent/held_addresses.hpp"
#include "agent/ipv6_setting.hpp"
#include "agent/local_addresses.hpp"
#include "tests/unit/agent_network.hpp"

namespace astil::agent {
namespace {

using boost::asio::ip::make_address;

const auto kVip = make_address("192.0.2.20");
const auto kVip6 = make_address("2001:db8:5::20");
const auto kFirst = make_address("198.51.100.21");
const auto kSecond = make_address("198.51.100.22");
const auto kFirst6 = make_address("2001:db8:b::21");
const auto kSecond6 = make_address("2001:db8:b::22");

class AgentLab : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: a network namespace can not be made";
    here_.emplace();
    std::string name = (std::filesystem::temp_directory_path() / "astil-agent-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    run("ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 up");
    network_ = net::Network::open(loop_, {}).value();
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] static bool on_loopback(const std::string& prefix) {
    return std::system(("ip -o address show dev lo | grep -q ' " + prefix + " '").c_str()) == 0;
  }

  /// One agent's addresses.
  struct Agent {
    Agent(const std::filesystem::path& folder, net::Network& network)
        : shared(SharedState::open(folder, network_namespace().value()).value()), addresses(shared, network) {
      addresses.hold(kVip).value();
      addresses.hold(kVip6).value();
    }
    SharedState shared;
    HeldAddresses addresses;
  };

  /// Runs the loop until the addresses are these.
  [[nodiscard]] bool come(const LocalAddresses::Addresses& seen, const LocalAddresses::Addresses& wanted) {
    const auto end = std::chrono::steady_clock::now() + kLimit;
    while (seen != wanted && std::chrono::steady_clock::now() < end) loop_.run_one_for(kLimit);
    return seen == wanted;
  }

  std::optional<Namespace> here_;
  boost::asio::io_context loop_;
  std::filesystem::path folder_;
  std::unique_ptr<net::Network> network_;
};

TEST_F(AgentLab, an_address_stays_while_an_agent_holds_it) {
  std::optional<Agent> first;
  std::optional<Agent> second;
  first.emplace(folder_, *network_);
  second.emplace(folder_, *network_);
  first.reset();
  for (const char* prefix : {"192.0.2.20/32", "2001:db8:5::20/128"}) EXPECT_TRUE(on_loopback(prefix)) << prefix;
  second.reset();
  for (const char* prefix : {"192.0.2.20/32", "2001:db8:5::20/128"}) EXPECT_FALSE(on_loopback(prefix)) << prefix;
}

TEST_F(AgentLab, an_address_of_somebody_else_stays) {
  run("ip address add 192.0.2.20/32 dev lo && ip address add 2001:db8:5::20/128 dev lo");
  std::optional<Agent> agent;
  agent.emplace(folder_, *network_);
  agent.reset();
  for (const char* prefix : {"192.0.2.20/32", "2001:db8:5::20/128"}) EXPECT_TRUE(on_loopback(prefix)) << prefix;
}

TEST_F(AgentLab, an_address_is_the_hosts_own_as_soon_as_it_is_held) {
  SharedState shared = SharedState::open(folder_, network_namespace().value()).value();
  HeldAddresses addresses(shared, *network_);
  net::NetlinkSocket routes = net::NetlinkSocket::open({}).value();
  for (unsigned i = 1; i <= 20; ++i) {
    const address host = make_address("2001:db8:6::" + std::to_string(i));
    addresses.hold(host).value();
    std::uint8_t type = RTN_UNSPEC;
    const auto verdict = routes.ask(net::look_up_route(host), [&](const net::RawMessage& message) {
      if (const auto route = net::parse_route(message)) type = route->type;
    });
    EXPECT_EQ(verdict.error, 0);
    EXPECT_EQ(type, RTN_LOCAL) << host;
  }
}

TEST_F(AgentLab, a_network_namespace_is_known_by_a_number_of_its_own) {
  const auto here = network_namespace().value();
  EXPECT_EQ(network_namespace().value(), here);
  const Namespace another;
  EXPECT_NE(network_namespace().value(), here);
}

TEST_F(AgentLab, addresses_are_followed_as_they_come_and_go) {
  run("ip address add 198.51.100.21/24 dev v0");
  LocalAddresses::Addresses seen;
  const auto following = LocalAddresses::follow(loop_, [&](const auto& local) { seen = local; });
  ASSERT_TRUE(following.has_value()) << following.error().text();
  EXPECT_EQ(seen, LocalAddresses::Addresses{kFirst}) << "at 127.0.0.1, ::1 and fe80:: no tunnel ends";
  run("ip address add 198.51.100.22/32 dev v0");
  EXPECT_TRUE(come(seen, {kFirst, kSecond}));
  run("ip address add 2001:db8:b::21/64 dev v0 && ip address add 2001:db8:b::22/128 dev v0");
  EXPECT_TRUE(come(seen, {kFirst, kSecond, kFirst6, kSecond6}));
  run("ip address del 198.51.100.21/24 dev v0");
  EXPECT_TRUE(come(seen, {kSecond, kFirst6, kSecond6}));
  run("ip address del 2001:db8:b::22/128 dev v0");
  EXPECT_TRUE(come(seen, {kSecond, kFirst6}));
}

TEST_F(AgentLab, says_where_ipv6_is_turned_off) {
  EXPECT_TRUE(check_ipv6("v0").has_value());
  run("sysctl -q -w net.ipv6.conf.v0.disable_ipv6=1");
  const auto checked = check_ipv6("v0");
  ASSERT_TRUE(checked.has_error());
  EXPECT_NE(checked.error().text().find("net.ipv6.conf.v0.disable_ipv6=0"), std::string::npos);
}

/// A backend with its agent's parts, v0 in `backend_`, and what is in front of it, v1 in `client_`.
class AgentTraffic : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: a network namespace can not be made";
    client_.emplace();
    run("ip link set lo up; sysctl -q -w net.ipv4.conf.all.rp_filter=0");
    tun_.emplace();
    backend_.emplace();
    run("ip link set lo up; ip link add v0 type veth peer name v1 netns " + client_->name() +
        "; ip address add 198.51.100.21/24 dev v0; ip address add 2001:db8:b::21/64 dev v0 nodad; ip link set v0 up;"
        "ip route add 203.0.113.7 via 198.51.100.1; ip route add 2001:db8:c::7 via 2001:db8:b::1");
    client_->enter();
    run("ip address add 198.51.100.1/24 dev v1; ip address add 2001:db8:b::1/64 dev v1 nodad; ip link set v1 up;"
        "sysctl -q -w net.ipv4.conf.v1.rp_filter=0; ip address add 203.0.113.7 dev tun0;"
        "ip address add 2001:db8:c::7 dev tun0 nodad; ip link set tun0 up mtu 1400; ip route add 192.0.2.20 dev tun0;"
        "ip route add 2001:db8:5::20 dev tun0 src 2001:db8:c::7");
    for (const address& host : {kFirst, kFirst6}) reach(host);
    start_agent();
  }
  void TearDown() override {
    addresses_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  /// Waits until the link carries packets both ways: the backend refuses a connection.
  static void reach(const address& host) {
    const Endpoint closed(host, 9);
    const Descriptor socket = checked(::socket(closed.family(), SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    ASSERT_TRUE(::connect(socket.get(), closed.name(), closed.size()) < 0 && errno == ECONNREFUSED) << host;
  }

  void start_agent() {
    backend_->enter();
    std::string name = (std::filesystem::temp_directory_path() / "astil-agent-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    network_ = net::Network::open(loop_, {}).value();
    shared_.emplace(SharedState::open(folder_, network_namespace().value()).value());
    addresses_ = std::make_unique<HeldAddresses>(*shared_, *network_);
    for (const address& host : {kVip, kVip6}) addresses_->hold(host).value();
    agent_ = Decapsulator::load(embedded_program()).value();
    agent_->set_service_addresses({kVip, kVip6}).value();
    agent_->set_tunnel_ends({kFirst, kFirst6}).value();
    agent_->attach(::if_nametoindex("v0")).value();
  }

  /// Has a connection to the service carry `text` there, by the tunnel, and back, without it; what came back.
  [[nodiscard]] std::string echoed(const std::string& text, const address& service, const TunnelEntry& tunnel) const {
    const Endpoint name(service, 443);
    backend_->enter();
    const Descriptor listening = checked(::socket(name.family(), SOCK_STREAM | SOCK_CLOEXEC, 0), "server");
    constexpr int kOn = 1;
    ::setsockopt(listening.get(), SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof kOn);
    if (::bind(listening.get(), name.name(), name.size()) != 0 || ::listen(listening.get(), 1) != 0) return "no server";
    client_->enter();
    const Descriptor client = checked(::socket(name.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "client");
    if (::connect(client.get(), name.name(), name.size()) == 0 || errno != EINPROGRESS) return "no way to the service";
    if (!tun_->forward_until(client.get(), POLLOUT, tunnel)) return "no connection";
    if (::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
      return "not sent";
    if (!tun_->forward_until(listening.get(), POLLIN, tunnel)) return "no client";
    const Descriptor server = checked(::accept(listening.get(), nullptr, nullptr), "accept");
    const std::string got = received(server.get(), text.size(), tunnel);
    if (::send(server.get(), got.data(), got.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(got.size()))
      return "no reply";
    return received(client.get(), got.size(), tunnel);
  }

  [[nodiscard]] std::string received(int socket, std::size_t size, const TunnelEntry& tunnel) const {
    std::string text;
    std::array<char, 4096> part;
    while (text.size() < size && tun_->forward_until(socket, POLLIN, tunnel)) {
      const ssize_t got = ::recv(socket, part.data(), part.size(), MSG_DONTWAIT);
      if (got <= 0) break;
      text.append(part.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

  [[nodiscard]] std::uint64_t unwrapped() const {
    return agent_->counts().value()[static_cast<std::size_t>(Outcome::unwrapped)];
  }

  std::optional<Namespace> client_;
  std::optional<Namespace> backend_;
  std::optional<Tun> tun_;
  boost::asio::io_context loop_;
  std::filesystem::path folder_;
  std::unique_ptr<net::Network> network_;
  std::optional<SharedState> shared_;
  std::unique_ptr<HeldAddresses> addresses_;
  std::unique_ptr<Decapsulator> agent_;
};

TEST_F(AgentTraffic, connections_come_through_every_kind_of_tunnel) {
  std::string text(20'000, '.');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  for (const Wrapping wrapping : {Wrapping::ip_in_ip, Wrapping::gue, Wrapping::gue_with_header}) {
    for (const address& service : {kVip, kVip6}) {
      for (const address& end : {kFirst, kFirst6}) {
        SCOPED_TRACE(testing::Message() << service << " by " << end << ", wrapping " << static_cast<int>(wrapping));
        client_->enter();
        const TunnelEntry tunnel(wrapping, service, end);
        const std::uint64_t before = unwrapped();
        EXPECT_EQ(echoed(text, service, tunnel), text);
        EXPECT_GT(unwrapped(), before + text.size() / 1400);
      }
    }
  }
}

/// Neighbour discovery (RFC 4861) on an interface, heard and spoken by a host at its other end.
class Neighbour {
 public:
  struct Heard {
    std::uint8_t type;
    address source;
    address target;
  };

  explicit Neighbour(const char* interface)
      : ifindex_(::if_nametoindex(interface)),
        socket_(checked(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6), "neighbour discovery")) {
    constexpr int kHops = 255;  // none other is taken
    ::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &kHops, sizeof kHops);
    ::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &kHops, sizeof kHops);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_BINDTODEVICE, interface, static_cast<socklen_t>(std::strlen(interface)));
    constexpr int kOff = 0;
    ::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &kOff, sizeof kOff);
    const timeval limit{.tv_sec = kLimit.count()};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ifreq request{};
    std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
    if (::ioctl(socket_.get(), SIOCGIFHWADDR, &request) != 0) throw std::runtime_error("no such interface");
    std::memcpy(mac_.data(), request.ifr_hwaddr.sa_data, mac_.size());
  }

  /// Asks, at `to`, who has the address `target`, and says where the answer goes (section 4.3).
  void ask(const char* to, const address& target) const {
    struct {
      nd_neighbor_solicit message{.nd_ns_hdr = {.icmp6_type = ND_NEIGHBOR_SOLICIT}};
      nd_opt_hdr option{.nd_opt_type = ND_OPT_SOURCE_LINKADDR, .nd_opt_len = 1};
      std::array<std::uint8_t, 6> mac{};
    } question;
    std::memcpy(&question.message.nd_ns_target, target.to_v6().to_bytes().data(), sizeof(in6_addr));
    question.mac = mac_;
    sockaddr_in6 name{.sin6_family = AF_INET6, .sin6_scope_id = ifindex_};
    ::inet_pton(AF_INET6, to, &name.sin6_addr);
    if (::sendto(socket_.get(), &question, sizeof question, 0, reinterpret_cast<sockaddr*>(&name), sizeof name) < 0)
      throw std::runtime_error("not asked");
  }

  /// Everything up to a message of this type about this target.
  [[nodiscard]] std::vector<Heard> heard_until(std::uint8_t type, const address& target) const {
    std::vector<Heard> all;
    while (all.empty() || all.back().type != type || all.back().target != target) {
      nd_neighbor_solicit message{};
      sockaddr_in6 name{};
      socklen_t size = sizeof name;
      const auto got =
          ::recvfrom(socket_.get(), &message, sizeof message, 0, reinterpret_cast<sockaddr*>(&name), &size);
      if (got < 0) throw std::runtime_error("nothing heard of " + target.to_string());
      all.push_back({message.nd_ns_hdr.icmp6_type, of(name.sin6_addr), of(message.nd_ns_target)});
    }
    return all;
  }

 private:
  static address of(const in6_addr& bytes) {
    boost::asio::ip::address_v6::bytes_type same;
    std::memcpy(same.data(), &bytes, same.size());
    return boost::asio::ip::address_v6(same);
  }

  unsigned ifindex_;
  Descriptor socket_;
  std::array<std::uint8_t, 6> mac_{};
};

TEST_F(AgentTraffic, nobody_on_the_network_learns_who_holds_an_ipv6_service_address) {
  run("ip address add 2001:db8:b::22/64 dev v0 nodad");
  client_->enter();
  const Neighbour neighbour("v1");
  for (const char* to : {"ff02::1:ff00:20", "ff02::1", "2001:db8:b::21"}) neighbour.ask(to, kVip6);
  neighbour.ask("2001:db8:b::21", kSecond6);  // answered after those, if they were
  for (const auto& heard : neighbour.heard_until(ND_NEIGHBOR_ADVERT, kSecond6)) EXPECT_NE(heard.target, kVip6);

  backend_->enter();
  run("ip -6 neighbour flush dev v0");
  const Endpoint service(kVip6, 53);
  const Endpoint to(make_address("2001:db8:b::1"), 53);
  const Descriptor socket = checked(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  ASSERT_EQ(::bind(socket.get(), service.name(), service.size()), 0);
  ASSERT_EQ(::sendto(socket.get(), "x", 1, 0, to.name(), to.size()), 1);
  const auto heard = neighbour.heard_until(ND_NEIGHBOR_SOLICIT, make_address("2001:db8:b::1"));
  EXPECT_NE(heard.back().source, kVip6) << "the question where to send what the service sends";
}

}  // namespace
}  // namespace astil::agent
