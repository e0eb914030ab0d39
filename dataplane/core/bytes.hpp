// Fixed-width integers, and integers in network byte order as types of their own, so that the two can not be mixed up.
// Freestanding: the same text is compiled for the kernel.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace astil::core {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

/// A value as it lies in a packet: network byte order.
enum class Be16 : u16 {};
enum class Be32 : u32 {};

constexpr u16 raw(Be16 value) { return static_cast<u16>(value); }
constexpr u32 raw(Be32 value) { return static_cast<u32>(value); }

constexpr u16 host(Be16 value) {
  return std::endian::native == std::endian::little ? __builtin_bswap16(raw(value)) : raw(value);
}
constexpr u32 host(Be32 value) {
  return std::endian::native == std::endian::little ? __builtin_bswap32(raw(value)) : raw(value);
}
constexpr Be16 be16(u16 value) { return Be16{host(Be16{value})}; }
constexpr Be32 be32(u32 value) { return Be32{host(Be32{value})}; }

/// A structure that lies in a packet at any offset. For the kernel's verifier unaligned loads are fine as they stand (a
/// packed structure would be read byte by byte there); on the host the compiler has to be told.
#ifdef __bpf__
#define ASTIL_WIRE
#else
#define ASTIL_WIRE [[gnu::packed]]
#endif

/// Fields that are neighbours, read in one access.
template <class Word>
[[gnu::always_inline]] inline Word load_as(const void* fields) {
#ifdef __bpf__
  return *static_cast<const Word*>(fields);
#else
  Word word;
  __builtin_memcpy(&word, fields, sizeof(word));
  return word;
#endif
}

/// Likewise, written.
template <class Word>
[[gnu::always_inline]] inline void store_as(void* fields, Word word) {
#ifdef __bpf__
  *static_cast<Word*>(fields) = word;
#else
  __builtin_memcpy(fields, &word, sizeof(word));
#endif
}

/// The stages are composed into one straight program: a call costs more than most of them.
#define ASTIL_INLINE [[gnu::always_inline]] inline

/// A loop that the compiler shall not unroll: an exit for each round would spill what it leaves behind.
#ifdef __clang__
#define ASTIL_KEEP_LOOP _Pragma("clang loop unroll(disable)")
#else
#define ASTIL_KEEP_LOOP
#endif

/// A cold path as a function of its own, which the kernel's verifier looks at once and not once per way that leads to
/// it.
#ifdef __bpf__
#define ASTIL_SUBPROGRAM extern "C" [[gnu::noinline]]
#else
#define ASTIL_SUBPROGRAM inline
#endif

/// Keeps a record where it lies. The compiler would rather hold each word of an IPv6 flow in a register, has not enough
/// of them, and spills to places of 8 bytes each: more than the kernel's stack has.
template <class T>
ASTIL_INLINE void keep_in_memory(T& record) {
  asm volatile("" : : "r"(&record) : "memory");
}

/// A value that is worked out at this place, before anything that stands below is read. The compiler would read that
/// ahead, and spill it.
template <class T>
ASTIL_INLINE T made_here(T value) {
#ifdef __bpf__
  asm volatile("" : "+r"(value) : : "memory");
#endif
  return value;
}

/// A pointer into the packet as one value. The compiler would work out the place of each field anew, and the kernel's
/// verifier then does not see that it was found to be within the packet.
template <class T>
ASTIL_INLINE T* as_one_pointer(T* pointer) {
#ifdef __bpf__
  asm volatile("" : "+r"(pointer));
#endif
  return pointer;
}

/// A number of which the compiler knows nothing: it would leave out a mask that it holds for needless, of which the
/// kernel's verifier knows no other reason.
ASTIL_INLINE u32 as_any_number(u32 number) {
#ifdef __bpf__
  asm volatile("" : "+r"(number));
#endif
  return number;
}

/// A number that the compiler shall not ask a branch for: it would take what is worked out for a choice. In the
/// kernel's programs; on the host it does not do so.
constexpr u32 as_data(u32 number) {
#ifdef __bpf__
  if (!std::is_constant_evaluated()) asm("" : "+r"(number));
#endif
  return number;
}

/// Reads, in one access, what others write at the same time. (The BPF target knows no atomic loads; there an aligned
/// load is one.)
template <class T>
ASTIL_INLINE T shared_load(const T& place) {
#ifdef __bpf__
  return static_cast<const volatile T&>(place);
#else
  T value;  // of any type: clang has no __atomic_load_n of an enumeration
  __atomic_load(&place, &value, __ATOMIC_RELAXED);
  return value;
#endif
}

/// Writes, in one access, after all earlier writes, what others read at the same time. (BPF has no releasing store:
/// there the order is that of x86-64, and an exchange, which orders everywhere, would cost as much as the claim.)
template <class T>
ASTIL_INLINE void shared_store(T& place, T value) {
#ifdef __bpf__
  static_cast<volatile T&>(place) = value;
#else
  __atomic_store_n(&place, value, __ATOMIC_RELEASE);
#endif
}

/// The position of the only bit set in an 8-bit mask, without a branch: each branch would be another way to verify.
constexpr u32 bit_position(u32 bit) {
  const u32 low = ((bit & 0xaaU) + 0xffU) >> 8U;
  const u32 middle = ((bit & 0xccU) + 0xffU) >> 8U;
  const u32 high = ((bit & 0xf0U) + 0xffU) >> 8U;
  return low | (middle << 1U) | (high << 2U);
}

constexpr u32 lowest_bit(u32 mask) { return mask & (~mask + 1U); }

/// 1 if a value below 2^63 is 0, else 0; without a branch.
constexpr u32 is_zero(u64 value) { return static_cast<u32>((value - 1) >> 63U); }

/// 1 if a < b, else 0, for values below 2^31; without a branch, but where the compiler prefers one.
constexpr u32 below(u32 a, u32 b) { return (a - b) >> 31U; }

/// The greater of two values below 2^31; likewise.
constexpr u32 greater(u32 a, u32 b) { return a ^ ((a ^ b) & (0U - below(a, b))); }

/// The same two, for what no processor can guess (see `as_data`).
constexpr u32 below_by_data(u32 a, u32 b) { return as_data(a - b) >> 31U; }
constexpr u32 greater_by_data(u32 a, u32 b) { return a ^ ((a ^ b) & as_data(0U - below_by_data(a, b))); }

}  // namespace astil::core
