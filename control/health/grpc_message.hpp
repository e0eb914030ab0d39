// The two messages of gRPC's standard health service (grpc.health.v1.Health/Check, grpc/health/v1/health.proto), as
// they stand in the body of a request and of an answer: behind a prefix of five bytes (gRPC over HTTP2,
// "Length-Prefixed- Message"), in the protocol buffers' wire format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace astil::health {

/// HealthCheckRequest with that service, at most 127 bytes; empty: the server as a whole.
[[nodiscard]] std::string grpc_health_request(std::string_view service);

/// HealthCheckResponse.ServingStatus.
inline constexpr std::uint64_t kGrpcServing = 1;

struct GrpcAnswer {
  const char* error = nullptr;  ///< of a body that is no such message: "the message is compressed"; else null
  std::uint64_t status = 0;     ///< a ServingStatus: 0 where it is not said, as the format has it
};

/// Reads a whole body.
[[nodiscard]] GrpcAnswer read_grpc_health_answer(std::span<const std::byte> body);

/// "NOT_SERVING"; "status 7" of those without a name.
[[nodiscard]] std::string grpc_serving_name(std::uint64_t status);

/// "UNAVAILABLE", of the codes that gRPC defines; "code 99" of others.
[[nodiscard]] std::string grpc_code_name(unsigned code);

}  // namespace astil::health
