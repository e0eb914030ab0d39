// One set of tables takes the place of another that packets meet: what both have to do, whatever engine they are of.
#pragma once

#include <memory>

#include "dataplane/carry.hpp"
#include "dataplane/dataplane.hpp"

namespace astil::dataplane {

/// Begins with services, rings and flows; from then on both choose alike, until it ends.
class Succession {
 public:
  /// `to` has new tables, which nobody has published to. Both must outlive this.
  static Result<std::unique_ptr<Succession>> begin(Dataplane& from, Dataplane& to);
  /// The same from tables whose engine is gone.
  static Result<std::unique_ptr<Succession>> begin(const Tables& from, Dataplane& to);

  /// Of a connection that has a port here and not there, packets are lost until it is carried: as often as can be.
  void carry_ports() { ports_.carry(); }
  /// No packet meets the old tables any more: what they have learnt since, and what they counted.
  Carried finish();

 private:
  Succession(const Tables& from, Dataplane& to);

  Tables from_;
  Dataplane& to_;
  Tables new_;
  RingOnly old_choose_;
  RingOnly new_choose_;
  FlowCarrier flows_;
  PortCarrier ports_;
};

}  // namespace astil::dataplane
