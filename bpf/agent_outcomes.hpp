// What can become of a tunnelled packet at a backend: its name, and what it says of packets. Only those for a service
// address are counted, and those to this host that do not say plainly for whom they are. The program counts each on
// each CPU.
#pragma once

#define ASTIL_AGENT_OUTCOMES(X)                                                                        \
  X(unwrapped, "taken out of their tunnel")                                                            \
  X(not_local, "passed: sent to another host")                                                         \
  X(malformed, "passed: their headers contradict each other, or end too early")                        \
  X(unknown_gue, "passed: GUE with a variant, a message, flags or a payload that the agent knows not") \
  X(not_ecn_capable, "dropped: met congestion, and their ends know no congestion marks")               \
  X(stuck, "dropped: the kernel did not give way to the inner packet")

namespace astil::agent {

enum class Outcome : unsigned {
#define ASTIL_NAME(name, meaning) name,
  ASTIL_AGENT_OUTCOMES(ASTIL_NAME)
#undef ASTIL_NAME
};

#define ASTIL_COUNT(name, meaning) +1U
inline constexpr unsigned kOutcomes = 0U ASTIL_AGENT_OUTCOMES(ASTIL_COUNT);
#undef ASTIL_COUNT

}  // namespace astil::agent
