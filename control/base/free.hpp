// What a C library's objects are given back with: std::unique_ptr<bignum_st, base::Free<BN_free>>.
#pragma once

namespace astil::base {

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};

}  // namespace astil::base
