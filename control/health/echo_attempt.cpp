#include "control/health/echo_attempt.hpp"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/icmp.hpp>
#include <cerrno>
#include <span>
#include <utility>
#include <vector>

#include "control/health/echo_message.hpp"

namespace astil::health {
namespace {

using boost::asio::ip::icmp;
using boost::system::error_code;
using Kind = Outcome::Kind;

class EchoAttempt final : public Attempt {
 public:
  EchoAttempt(boost::asio::io_context& loop, ProbeRequest request, std::uint16_t id, std::uint16_t sequence,
              Prober::Done done)
      : Attempt(std::move(request), std::move(done)),
        socket_(loop),
        version_(this->request().host.is_v4() ? IpVersion::ipv4 : IpVersion::ipv6),
        sent_(echo_request(version_, id, sequence)) {}

  void start() override {
    if (const error_code error = open()) return end_later(socket_.get_executor(), failure_to_open(error));
    enter(Phase::answer);
    error_code error;
    socket_.send(boost::asio::buffer(sent_), 0, error);
    if (error) return end_later(socket_.get_executor(), failure("request", error));
    await_answer();
  }

 private:
  error_code open() {
    const icmp::endpoint peer(request().host, 0);
    error_code error;
    socket_.open(peer.protocol(), error);
    if (!error) socket_.non_blocking(true, error);
    if (!error) error = filter();
    if (!error) socket_.connect(peer, error);
    return error;
  }

  /// A raw socket gets all ICMP packets of its peer; none but replies are to wake this process.
  error_code filter() {
    int failed = 0;
    if (version_ == IpVersion::ipv4) {
      const icmp_filter replies{.data = ~(1U << ICMP_ECHOREPLY)};
      failed = ::setsockopt(socket_.native_handle(), SOL_RAW, ICMP_FILTER, &replies, sizeof replies);
    } else {
      icmp6_filter replies{};
      ICMP6_FILTER_SETBLOCKALL(&replies);
      ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &replies);
      failed = ::setsockopt(socket_.native_handle(), IPPROTO_ICMPV6, ICMP6_FILTER, &replies, sizeof replies);
    }
    return failed == 0 ? error_code() : error_code(errno, boost::system::system_category());
  }

  static Outcome failure_to_open(const error_code& error) {
    if (error == boost::system::errc::operation_not_permitted)
      return {Kind::not_made, "no raw socket without CAP_NET_RAW: " + error.message()};
    return failure("connect", error);
  }

  void await_answer() {
    await(socket_, [this] { read_answer(); });
  }

  // One packet a turn, as by datagrams. Replies to others' requests come too.
  void read_answer() {
    std::array<std::byte, 2048> buffer;
    error_code error;
    const std::size_t size = socket_.receive(boost::asio::buffer(buffer), 0, error);
    if (error && error != boost::asio::error::would_block) return end(failure("answer", error));
    if (!error && is_echo_reply(version_, sent_, std::span(buffer).first(size))) return end({});
    await_answer();
  }

  void close() override {
    error_code ignored;  // nothing is to be sent any more
    socket_.close(ignored);
  }

  icmp::socket socket_;
  IpVersion version_;
  std::vector<std::byte> sent_;
};

}  // namespace

std::shared_ptr<Attempt> make_echo_attempt(boost::asio::io_context& loop, ProbeRequest request, std::uint16_t id,
                                           std::uint16_t sequence, Prober::Done done) {
  return std::make_shared<EchoAttempt>(loop, std::move(request), id, sequence, std::move(done));
}

}  // namespace astil::health
