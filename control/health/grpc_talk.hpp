// What a gRPC check says to a server and makes of its answer: one request over HTTP/2 without TLS ("prior knowledge",
// RFC 9113, section 3.3), by libnghttp2. No I/O: bytes go in, bytes come out, and at some time there is an outcome.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "control/health/prober.hpp"

struct nghttp2_session;

namespace astil::health {

class GrpcTalk {
 public:
  /// `service`: of grpc_health_request. `authority`: whom the server is asked as, "10.0.0.1:50051".
  GrpcTalk(const std::string& service, const std::string& authority);
  ~GrpcTalk();
  GrpcTalk(const GrpcTalk&) = delete;
  GrpcTalk& operator=(const GrpcTalk&) = delete;

  /// What is to be sent now; empty: nothing.
  [[nodiscard]] std::string take_output();
  /// What came in. None: the answer is not whole yet.
  [[nodiscard]] std::optional<Outcome> take(std::span<const std::byte> bytes);
  /// The server ended the connection before there was an outcome.
  [[nodiscard]] Outcome at_end() const;

 private:
  struct Answer;
  struct Delete {
    void operator()(nghttp2_session* session) const;
  };
  [[nodiscard]] Outcome judge() const;
  void collect();

  std::string body_;    // the request's
  std::string output_;  // not taken yet
  std::size_t sent_ = 0;
  std::unique_ptr<Answer> answer_;
  std::unique_ptr<nghttp2_session, Delete> session_;
};

}  // namespace astil::health
