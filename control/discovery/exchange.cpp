#include "control/discovery/exchange.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <optional>
#include <sstream>

#include "control/base/dns_message.hpp"
#include "control/config/keys.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::discovery {
namespace {

using Clock = std::chrono::steady_clock;
using Bytes = std::span<const std::byte>;
using Answer = Result<std::vector<std::byte>>;
using base::DnsAnswer;

constexpr std::size_t kLargestMessage = 65'535;
constexpr std::size_t kMostServers = 3;  // MAXNS of resolver(3)
constexpr unsigned kNameError = 3;       // RFC 1035 section 4.1.1
constexpr config::Port kPort{53};

/// A socket that is connected to one server, so that the kernel passes over what others send. Nothing blocks but
/// `await`.
class Line {
 public:
  Line(const config::Endpoint& server, int kind, Clock::time_point until)
      : to_(server.host, static_cast<std::uint16_t>(server.port)), until_(until) {
    socket_ = base::Descriptor(::socket(to_.protocol().family(), kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }

  Result<void> connect() {
    if (!socket_.valid()) return system_error("make a socket", errno);
    if (::connect(socket_.get(), to_.data(), static_cast<socklen_t>(to_.size())) == 0) return {};
    if (errno != EINPROGRESS) return system_error("connect", errno);
    if (auto waited = await(POLLOUT); waited.has_error()) return waited;
    int failed = 0;
    socklen_t size = sizeof(failed);
    (void)::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
    if (failed != 0) return system_error("connect", failed);
    return {};
  }

  Result<void> send(Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
      } else if (errno != EAGAIN) {
        return system_error("send", errno);
      } else if (auto waited = await(POLLOUT); waited.has_error()) {
        return waited;
      }
    }
    return {};
  }

  /// What is there first, at most so much: a datagram, or a part of the stream. Nothing: its end.
  Result<std::size_t> receive(std::span<std::byte> into) {
    while (true) {
      const ssize_t received = ::recv(socket_.get(), into.data(), into.size(), 0);
      if (received >= 0) return static_cast<std::size_t>(received);
      if (errno != EAGAIN) return system_error("receive", errno);
      if (auto waited = await(POLLIN); waited.has_error()) return waited.error();
    }
  }

 private:
  Result<void> await(short what) {
    while (true) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until_ - Clock::now()).count();
      pollfd waiting{.fd = socket_.get(), .events = what, .revents = 0};
      const int ready = left <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left));
      if (ready > 0) return {};
      if (ready == 0) return Error{"no answer in time", {}};
      if (errno != EINTR) return system_error("wait", errno);
    }
  }

  boost::asio::ip::tcp::endpoint to_;
  Clock::time_point until_;
  base::Descriptor socket_;
};

Answer over_udp(const config::Endpoint& server, Bytes query, Clock::time_point until) {
  Line line(server, SOCK_DGRAM, until);
  if (auto connected = line.connect(); connected.has_error()) return connected.error();
  if (auto sent = line.send(query); sent.has_error()) return sent.error();
  std::vector<std::byte> datagram(kLargestMessage);
  std::optional<std::string> passed_over;
  while (true) {
    const auto size = line.receive(datagram);
    if (size.has_error()) return passed_over ? Error{*passed_over, {}} : size.error();
    const Bytes received = Bytes(datagram).first(*size);
    const DnsAnswer answer = base::read_dns_answer(query, received);
    if (answer.kind == DnsAnswer::Kind::answer) return std::vector<std::byte>(received.begin(), received.end());
    passed_over = answer.kind == DnsAnswer::Kind::wrong ? answer.error : "no answer but one with another id";
  }
}

/// RFC 1035 section 4.2.2: each message behind its length.
Answer over_tcp(const config::Endpoint& server, Bytes query, Clock::time_point until) {
  Line line(server, SOCK_STREAM, until);
  if (auto connected = line.connect(); connected.has_error()) return connected.error();
  std::vector<std::byte> framed{static_cast<std::byte>(query.size() >> 8U), static_cast<std::byte>(query.size())};
  framed.insert(framed.end(), query.begin(), query.end());
  if (auto sent = line.send(framed); sent.has_error()) return sent.error();
  const auto read_whole = [&](std::span<std::byte> into) -> Result<void> {
    while (!into.empty()) {
      const auto size = line.receive(into);
      if (size.has_error()) return size.error();
      if (*size == 0) return Error{"the connection ended before the answer did", {}};
      into = into.subspan(*size);
    }
    return {};
  };
  std::array<std::byte, 2> length{};
  if (auto read = read_whole(length); read.has_error()) return read.error();
  std::vector<std::byte> message((std::to_integer<std::size_t>(length[0]) << 8U) |
                                 std::to_integer<std::size_t>(length[1]));
  if (auto read = read_whole(message); read.has_error()) return read.error();
  const DnsAnswer answer = base::read_dns_answer(query, message);
  if (answer.kind == DnsAnswer::Kind::answer) return message;
  return Error{answer.kind == DnsAnswer::Kind::wrong ? answer.error : "an answer with another id", {}};
}

Answer ask_one(const config::Endpoint& server, Bytes query, const Patience& patience) {
  const auto within = [&] { return Clock::now() + patience.of_one; };
  auto message = over_udp(server, query, within());
  if (message.has_value() && base::read_dns_answer(query, *message).is_cut_off)
    message = over_tcp(server, query, within());
  if (message.has_error()) return message;
  const unsigned code = base::read_dns_answer(query, *message).code;
  if (code == 0 || code == kNameError) return message;
  return Error{"the name server says " + base::dns_code_name(code), {}};
}

/// One that cannot be foreseen, RFC 5452 section 9.2.
Result<std::uint16_t> made_up_id() {
  std::uint16_t id = 0;
  if (::getrandom(&id, sizeof(id), 0) != static_cast<ssize_t>(sizeof(id))) return system_error("make up an id", errno);
  return id;
}

}  // namespace

Answer ask(const std::vector<config::Endpoint>& servers, std::string_view name, std::uint16_t type, Patience patience) {
  Error last{"there is no name server to ask", {}};
  for (unsigned round = 0; round < patience.rounds; ++round) {
    for (const config::Endpoint& server : servers) {
      const auto id = made_up_id();
      if (id.has_error()) return id.error();
      auto answer = ask_one(server, base::dns_query(*id, name, type), patience);
      if (answer.has_value()) return answer;
      last = answer.error().within(std::string(name) + " at " + config::show_endpoint(server.host, server.port));
    }
  }
  return last;
}

std::vector<config::Endpoint> name_servers_of(std::string_view text) {
  std::vector<config::Endpoint> servers;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line) && servers.size() < kMostServers;) {
    std::istringstream words(line);
    std::string key;
    std::string host;
    if (!(words >> key >> host) || key != "nameserver") continue;
    boost::system::error_code failed;
    const config::address address = boost::asio::ip::make_address(host, failed);
    if (!failed) servers.push_back({.host = address, .port = kPort});
  }
  return servers;
}

}  // namespace astil::discovery
