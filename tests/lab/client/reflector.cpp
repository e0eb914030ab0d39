// The program `lab_reflector`: sends every datagram back where it came from, marked as a response, a batch at a time.
// What a name server does beside that is its own; so this is what it is measured against.
//
//   lab_reflector ADDRESS PORT
#include <arpa/inet.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr unsigned kBatch = 64;
constexpr std::size_t kLongest = 1500;

struct Message {
  std::array<std::uint8_t, kLongest> bytes;
  sockaddr_in client;
  iovec at;
};

void reflect(int socket) {
  static std::array<Message, kBatch> messages;
  static std::array<mmsghdr, kBatch> heads;
  for (;;) {
    for (unsigned i = 0; i < kBatch; ++i) {
      messages[i].at = {messages[i].bytes.data(), kLongest};
      heads[i] = {};
      heads[i].msg_hdr.msg_name = &messages[i].client;
      heads[i].msg_hdr.msg_namelen = sizeof(sockaddr_in);
      heads[i].msg_hdr.msg_iov = &messages[i].at;
      heads[i].msg_hdr.msg_iovlen = 1;
    }
    const int count = ::recvmmsg(socket, heads.data(), kBatch, MSG_WAITFORONE, nullptr);
    if (count <= 0) continue;
    for (int i = 0; i < count; ++i) {
      const auto number = static_cast<unsigned>(i);
      messages[number].at.iov_len = heads[number].msg_len;
      messages[number].bytes[2] |= 0x80;
    }
    for (int sent = 0; sent < count;) {
      const int more = ::sendmmsg(socket, heads.data() + sent, static_cast<unsigned>(count - sent), 0);
      sent += more > 0 ? more : 1;
    }
  }
}

}  // namespace

int main(int count, char** values) {
  if (count != 3) {
    std::fputs("usage: lab_reflector ADDRESS PORT\n", stderr);
    return 2;
  }
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(std::atoi(values[2])));
  const int buffer = 4 << 20;
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
  if (::inet_pton(AF_INET, values[1], &at.sin_addr) != 1 ||
      ::bind(socket, reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0) {
    std::perror("bind");
    return 1;
  }
  reflect(socket);
}
