#include "control/health/grpc_message.hpp"

#include <array>

namespace astil::health {
namespace {

constexpr std::size_t kPrefix = 5;
/// Wire types (protobuf.dev, "Encoding").
enum class WireType : unsigned { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
constexpr std::uint64_t kStatusField = 1;

/// What is left of a message, read from its front.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> rest) : rest_(rest) {}
  [[nodiscard]] bool is_empty() const { return rest_.empty(); }

  [[nodiscard]] std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = std::to_integer<std::uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      value |= (byte & 0x7fU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    return std::nullopt;
  }

  [[nodiscard]] bool skip(std::uint64_t bytes) {
    if (bytes > rest_.size()) return false;
    rest_ = rest_.subspan(static_cast<std::size_t>(bytes));
    return true;
  }

  [[nodiscard]] bool skip_value(WireType type) {
    switch (type) {
      case WireType::varint:
        return varint().has_value();
      case WireType::fixed64:
        return skip(8);
      case WireType::fixed32:
        return skip(4);
      case WireType::bytes:
        break;
    }
    if (type != WireType::bytes) return false;
    const auto length = varint();
    return length && skip(*length);
  }

 private:
  std::span<const std::byte> rest_;
};

/// The last one counts. None: it is no message.
std::optional<std::uint64_t> status_of(std::span<const std::byte> message) {
  std::uint64_t status = 0;
  for (Reader reader(message); !reader.is_empty();) {
    const auto key = reader.varint();
    if (!key) return std::nullopt;
    const auto type = static_cast<WireType>(*key & 7U);
    if (*key >> 3U == 0) return std::nullopt;
    if (*key >> 3U != kStatusField || type != WireType::varint) {
      if (!reader.skip_value(type)) return std::nullopt;
      continue;
    }
    const auto value = reader.varint();
    if (!value) return std::nullopt;
    status = *value;
  }
  return status;
}

std::uint32_t length_in(std::span<const std::byte> prefix) {
  std::uint32_t length = 0;
  for (std::size_t i = 1; i < kPrefix; ++i) length = (length << 8U) | std::to_integer<std::uint32_t>(prefix[i]);
  return length;
}

}  // namespace

std::string grpc_health_request(std::string_view service) {
  std::string message;
  if (!service.empty()) {
    constexpr char kServiceField = (1U << 3U) | static_cast<unsigned>(WireType::bytes);
    message = std::string{kServiceField, static_cast<char>(service.size())} + std::string(service);
  }
  std::string prefix(kPrefix, '\0');
  prefix.back() = static_cast<char>(message.size());
  return prefix + message;
}

GrpcAnswer read_grpc_health_answer(std::span<const std::byte> body) {
  if (body.size() < kPrefix) return {.error = "the answer has no message"};
  if (body.front() != std::byte{0}) return {.error = "the message is compressed"};
  if (length_in(body) != body.size() - kPrefix) return {.error = "the message is not as long as it says"};
  const auto status = status_of(body.subspan(kPrefix));
  if (!status) return {.error = "the message is no HealthCheckResponse"};
  return {.error = nullptr, .status = *status};
}

std::string grpc_serving_name(std::uint64_t status) {
  constexpr std::array<const char*, 4> kNames{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
  return status < kNames.size() ? kNames[static_cast<std::size_t>(status)] : "status " + std::to_string(status);
}

std::string grpc_code_name(unsigned code) {
  constexpr std::array<const char*, 17> kNames{
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  return code < kNames.size() ? kNames[code] : "code " + std::to_string(code);
}

}  // namespace astil::health
