#include "control/health/datagram_attempt.hpp"

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "control/base/dns_message.hpp"

namespace astil::health {
namespace {

using boost::asio::ip::udp;
using boost::system::error_code;
using Kind = Outcome::Kind;

/// Of a connected UDP socket "Connection refused" is what the kernel makes of an ICMP message.
Outcome failure_of_datagram(const char* where, const error_code& error) {
  if (error == boost::system::errc::connection_refused)
    return {Kind::failed, std::string(where) + ": port unreachable, by ICMP"};
  return failure(where, error);
}

/// What came in, for an error: some bytes of it, those that are no ASCII text as \x00.
std::string in_quotes(std::string_view bytes) {
  constexpr std::size_t kMost = 32;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : bytes.substr(0, kMost)) {
    const bool is_plain = ' ' <= c && c <= '~' && c != '"' && c != '\\';
    const auto byte = static_cast<unsigned char>(c);
    out += is_plain ? std::string{c} : std::string{'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 0xfU]};
  }
  return out + (bytes.size() > kMost ? "\"..." : "\"");
}

std::vector<std::byte> datagram_of(const config::Probe& probe, std::uint16_t id) {
  if (const auto* dns = std::get_if<config::DnsCheck>(&probe))
    return base::dns_query(id, dns->name, static_cast<std::uint16_t>(dns->record));
  const auto bytes = std::as_bytes(std::span(std::get<config::UdpCheck>(probe).send));
  return {bytes.begin(), bytes.end()};
}

class DatagramAttempt final : public Attempt {
 public:
  DatagramAttempt(boost::asio::io_context& loop, ProbeRequest request, std::uint16_t id, PathSockets* paths,
                  Prober::Done done)
      : Attempt(std::move(request), std::move(done), paths), socket_(loop) {
    sent_ = datagram_of(this->request().probe, id);
  }

  void start() override {
    const udp::endpoint peer(request().host, static_cast<std::uint16_t>(request().port));
    if (auto failed = open(socket_, peer.protocol())) return end_later(socket_.get_executor(), std::move(*failed));
    error_code error;
    socket_.connect(peer, error);
    if (error) return end_later(socket_.get_executor(), failure("connect", error));
    enter(Phase::answer);
    socket_.send(boost::asio::buffer(sent_), 0, error);
    if (error) return end_later(socket_.get_executor(), failure_of_datagram("request", error));
    await_answer();
  }

  [[nodiscard]] Silence silence() const override {
    const auto* udp_check = std::get_if<config::UdpCheck>(&request().probe);
    return udp_check != nullptr && !udp_check->expect ? Silence::passes : Silence::fails;
  }

  [[nodiscard]] std::string remark() const override {
    if (foreign_ == 0) return {};
    return std::to_string(foreign_) + (foreign_ == 1 ? " datagram was" : " datagrams were") + " no answer to the query";
  }

 private:
  void await_answer() {
    await(socket_, [this] { read_answer(); });
  }

  // One datagram a turn: a peer that sends without end keeps the loop from nothing else. The buffer is the stack's, as
  // that of the stream's; what is longer is cut, behind all that matters.
  void read_answer() {
    std::array<std::byte, 2048> buffer;
    error_code error;
    const std::size_t size = socket_.receive(boost::asio::buffer(buffer), 0, error);
    if (error == boost::asio::error::would_block) return await_answer();
    if (error) return end(failure_of_datagram("answer", error));
    if (auto outcome = judge(std::span(buffer).first(size))) return end(std::move(*outcome));
    ++foreign_;
    await_answer();
  }

  /// None: the datagram says nothing.
  [[nodiscard]] std::optional<Outcome> judge(std::span<const std::byte> datagram) const {
    if (const auto* dns = std::get_if<config::DnsCheck>(&request().probe)) return judge_dns(*dns, datagram);
    const auto& expected = std::get<config::UdpCheck>(request().probe).expect;
    const std::string_view text(reinterpret_cast<const char*>(datagram.data()), datagram.size());
    if (!expected || text.starts_with(*expected)) return Outcome{};
    return Outcome{Kind::failed, "answer " + in_quotes(text) + ", expected " + in_quotes(*expected)};
  }

  [[nodiscard]] std::optional<Outcome> judge_dns(const config::DnsCheck& check,
                                                 std::span<const std::byte> datagram) const {
    const base::DnsAnswer answer = base::read_dns_answer(sent_, datagram);
    if (answer.kind == base::DnsAnswer::Kind::foreign) return std::nullopt;
    if (answer.kind == base::DnsAnswer::Kind::wrong)
      return Outcome{Kind::failed, std::string("answer: ") + answer.error};
    const auto wanted = static_cast<unsigned>(check.code);
    if (answer.code == wanted) return Outcome{};
    return Outcome{Kind::failed, base::dns_code_name(answer.code) + ", expected " + base::dns_code_name(wanted)};
  }

  void close() override {
    error_code ignored;  // nothing is to be sent any more
    socket_.close(ignored);
  }

  udp::socket socket_;
  std::vector<std::byte> sent_;
  std::uint64_t foreign_ = 0;
};

}  // namespace

std::shared_ptr<Attempt> make_datagram_attempt(boost::asio::io_context& loop, ProbeRequest request, std::uint16_t id,
                                               PathSockets* paths, Prober::Done done) {
  return std::make_shared<DatagramAttempt>(loop, std::move(request), id, paths, std::move(done));
}

}  // namespace astil::health
