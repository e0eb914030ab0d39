// A capture on its way: packets as the packet path gives them become the blocks of a pcapng file, which a client takes
// as it grows. The packet path captures only while there is such a client.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/api/view.hpp"
#include "control/app/tracer.hpp"
#include "control/base/result.hpp"
#include "dataplane/dataplane.hpp"

namespace astil::app {

class CaptureFeed {
 public:
  /// Bytes that wait for the client, and one packet more; when others come meanwhile, they are lost.
  static constexpr std::size_t kHeld = 4U << 20U;

  /// As dataplane::Dataplane has them.
  struct Path {
    std::function<Result<void>(const core::CaptureFilter&, const dataplane::CaptureTaker&)> start;
    std::function<Result<core::CaptureCounts>()> stop;
    std::function<std::vector<std::uint32_t>()> interfaces;  ///< those that packets come in by: ifindex
  };

  /// `loop` must outlive this.
  CaptureFeed(boost::asio::io_context& loop, Path path, Names names);
  CaptureFeed(const CaptureFeed&) = delete;
  CaptureFeed& operator=(const CaptureFeed&) = delete;
  ~CaptureFeed();

  /// An error where one runs already.
  [[nodiscard]] Result<std::unique_ptr<api::Capture>> begin(const api::CaptureQuery& query,
                                                            const core::CaptureFilter& filter);
  /// Of the one that runs; none: none does.
  [[nodiscard]] std::optional<api::CaptureQuery> query() const;
  /// Ends what runs, if anything does; the file says why. Not to be called while packets are given out.
  void end(const std::string& why);

 private:
  class Running;
  class Handle;

  boost::asio::io_context& loop_;
  Path path_;
  Names names_;
  boost::asio::steady_timer deadline_;
  std::shared_ptr<Running> running_;
};

}  // namespace astil::app
