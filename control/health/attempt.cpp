#include "control/health/attempt.hpp"

#include <boost/asio/post.hpp>
#include <utility>

namespace astil::health {
namespace {

bool is_local(const boost::system::error_code& error) {
  namespace errc = boost::system::errc;
  return error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
         error == errc::no_buffer_space || error == errc::not_enough_memory || error == errc::address_not_available;
}

}  // namespace

void Attempt::give_up() {
  done_ = nullptr;
  close();
}

void Attempt::end(Outcome outcome) {
  close();
  if (const auto done = std::exchange(done_, nullptr)) done(std::move(outcome));
}

void Attempt::end_later(const boost::asio::any_io_executor& loop, Outcome outcome) {
  boost::asio::post(loop, [self = shared_from_this(), outcome = std::move(outcome)] { self->end(outcome); });
}

Outcome failure(const char* where, const boost::system::error_code& error) {
  return {is_local(error) ? Outcome::Kind::not_made : Outcome::Kind::failed,
          std::string(where) + ": " + error.message()};
}

}  // namespace astil::health
