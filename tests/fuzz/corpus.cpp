// The fuzzers' corpora, in every build: bytes that were or may be hard to read do no harm. (The configuration's and the
// packets' are run by tests of their own.)
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

void run_corpus(const std::string& name, void (*target)(Input)) {
  std::size_t inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ASTIL_SOURCE_DIR "/tests/fuzz/" + name + "/corpus")) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    target(std::as_bytes(std::span(bytes)));
    ++inputs;
  }
  EXPECT_GE(inputs, 10U);
}

TEST(FuzzCorpus, of_netlink_messages_does_no_harm) { run_corpus("netlink", netlink); }
TEST(FuzzCorpus, of_answers_to_health_checks_does_no_harm) { run_corpus("http_status", http_status); }
TEST(FuzzCorpus, of_answers_of_name_servers_does_no_harm) { run_corpus("dns_answer", dns_answer); }
TEST(FuzzCorpus, of_files_of_backends_does_no_harm) { run_corpus("discovery_file", discovery_file); }
TEST(FuzzCorpus, of_answers_with_backends_does_no_harm) { run_corpus("discovery_answer", discovery_answer); }
TEST(FuzzCorpus, of_queries_to_the_name_server_does_no_harm) { run_corpus("dns_query", dns_query); }
TEST(FuzzCorpus, of_answers_of_grpc_servers_does_no_harm) { run_corpus("grpc_answer", grpc_answer); }
TEST(FuzzCorpus, of_echo_replies_does_no_harm) { run_corpus("echo_reply", echo_reply); }
TEST(FuzzCorpus, of_requests_to_the_api_does_no_harm) { run_corpus("api_request", api_request); }
TEST(FuzzCorpus, of_questions_to_the_api_does_no_harm) { run_corpus("api_routes", api_routes); }
TEST(FuzzCorpus, of_captures_does_no_harm) { run_corpus("pcapng", pcapng); }
TEST(FuzzCorpus, of_packets_to_the_election_does_no_harm) { run_corpus("vrrp_packets", vrrp_packets); }
TEST(FuzzCorpus, of_messages_of_the_election_does_no_harm) { run_corpus("ha_channel", ha_channel); }
TEST(FuzzCorpus, of_flow_sync_does_no_harm) { run_corpus("flow_sync", flow_sync); }
TEST(FuzzCorpus, of_imports_does_no_harm) { run_corpus("imports", imports); }
TEST(FuzzCorpus, of_answers_of_the_api_does_no_harm) { run_corpus("api_answer", api_answer); }

}  // namespace
}  // namespace astil::fuzz
