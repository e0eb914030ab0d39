#include "control/import/reasons.hpp"

#include <algorithm>
#include <array>

namespace astil::import {
namespace {

struct Known {
  std::string_view name;
  std::string_view why;
};

constexpr std::string_view kScripts =
    "astild runs no scripts and sends no mail: /v1/status and the metrics tell of changes";
constexpr std::string_view kQuorum = "there is no quorum: a service is up as long as one backend is";
constexpr std::string_view kFlags = "schedulers have no such setting";

/// Of virtual servers, of real ones and of checks.
constexpr std::array kNotCarried{
    Known{"sorry_server_inhibit", "always so: a fallback keeps its connections when others are up again"},
    Known{"sorry_server_lvs_method", "the sorry server is reached as the other backends are"},
    Known{"quorum", kQuorum},
    Known{"hysteresis", kQuorum},
    Known{"quorum_up", kScripts},
    Known{"quorum_down", kScripts},
    Known{"notify_up", kScripts},
    Known{"notify_down", kScripts},
    Known{"smtp_alert", kScripts},
    Known{"snmp_name", "there is no SNMP: a service has its name in the metrics"},
    Known{"alpha", "backends are up until their checks have failed"},
    Known{"omega", kScripts},
    Known{"ha_suspend", "checks run whether the address is there or not"},
    Known{"inhibit_on_failure", "always so: a backend that is down keeps its connections and gets no new ones"},
    Known{"delay_before_retry", "probes come at the same interval after a failure, too"},
    Known{"warmup", "the first probes are sent at once"},
    Known{"uthreshold", "backends have no limit of connections"},
    Known{"lthreshold", "backends have no limit of connections"},
    Known{"ops", "each flow of UDP has its backend; there is no scheduling of single packets"},
    Known{"persistence_engine", "affinity goes by the client's address"},
    Known{"ip_family", "a service's address says its version of IP"},
    Known{"flag-1", kFlags},
    Known{"flag-2", kFlags},
    Known{"flag-3", kFlags},
    Known{"sh-port", "source-hash goes by the client's address alone; maglev by its port as well"},
    Known{"sh-fallback", "always so: a backend that is down gets no new flows"},
    Known{"mh-port", "always so"},
    Known{"connect_ip", "probes go to the backend's own address"},
    Known{"bindto", "probes leave by the address and port that the kernel chooses"},
    Known{"bind_if", "probes leave by the interface that the kernel chooses"},
    Known{"bind_port", "probes leave by the address and port that the kernel chooses"},
    Known{"fwmark", "probes have no mark"},
    Known{"log_all_failures", "each change of a backend's state is logged, with the reason"},
    Known{"http_protocol", "requests are of HTTP/1.1, or of 1.0 where there is a text to look for in the body"},
    Known{"fast_recovery", "a check asks for one URL"},
    Known{"helo_name", "a connection by TCP is all that is checked"},
    Known{"min_reply_length", "answers are not told apart by their length"},
    Known{"max_reply_length", "answers are not told apart by their length"},
    Known{"regex_no_match", "'body' looks for a text that must be there"},
    Known{"regex_options", "'body' is a plain text"},
    Known{"regex_stack", "'body' is a plain text"},
    Known{"regex_min_offset", "'body' looks through the first 64 KiB of the answer"},
    Known{"regex_max_offset", "'body' looks through the first 64 KiB of the answer"},
    Known{"mh-fallback", "always so: a backend that is down gets no new flows"},
};

}  // namespace

std::string why_not_carried(std::string_view setting) {
  const auto found = std::ranges::find(kNotCarried, setting, &Known::name);
  return found == kNotCarried.end() ? "is not known here" : std::string(found->why);
}

}  // namespace astil::import
