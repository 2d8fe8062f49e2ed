// The one place where bytes become numbers. A Fixed<N> view has N octets for sure, and its fields are read at offsets that
// the compiler checks; a ByteReader walks octets whose number is not known; a ByteWriter fills a space the same way.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace weir {

using Bytes = std::span<const std::byte>;

/// Exactly N octets. Obtained from fixed() or ByteReader only, so that it can stand for "the length was checked".
template <std::size_t N>
using Fixed = std::span<const std::byte, N>;

/// N octets or none: what a check of a length gives. One pointer, where g++ 12 keeps an optional span in memory.
template <std::size_t N>
class MaybeFixed {
 public:
  constexpr MaybeFixed() = default;
  constexpr explicit(false) MaybeFixed(Fixed<N> view) : begin_(view.data()) {}
  constexpr explicit operator bool() const { return begin_ != nullptr; }
  constexpr Fixed<N> operator*() const { return Fixed<N>(begin_, N); }

 private:
  const std::byte* begin_ = nullptr;
};

/// The first N octets, or none if there are fewer.
template <std::size_t N>
constexpr MaybeFixed<N> fixed(Bytes bytes) {
  if (bytes.size() < N) return {};
  return bytes.first<N>();
}

/// Everything on the wire is big-endian (RFC 791, appendix B).
template <std::unsigned_integral T>
constexpr T to_big_endian(T value) {
  if constexpr (std::endian::native == std::endian::little && sizeof(T) > 1) return std::byteswap(value);
  return value;
}

/// The big-endian number at a constant offset of a view whose length is constant, too: out of range does not compile.
template <std::unsigned_integral T, std::size_t Offset, std::size_t N>
T big_endian_at(Fixed<N> view) {
  static_assert(Offset + sizeof(T) <= N, "field outside of the view");
  T value;
  std::memcpy(&value, view.template subspan<Offset, sizeof(T)>().data(), sizeof(T));
  return to_big_endian(value);
}
template <std::size_t Offset, std::size_t N>
std::uint8_t u8_at(Fixed<N> view) {
  return big_endian_at<std::uint8_t, Offset, N>(view);
}
template <std::size_t Offset, std::size_t N>
std::uint16_t u16_at(Fixed<N> view) {
  return big_endian_at<std::uint16_t, Offset, N>(view);
}
template <std::size_t Offset, std::size_t N>
std::uint32_t u32_at(Fixed<N> view) {
  return big_endian_at<std::uint32_t, Offset, N>(view);
}
template <std::size_t Offset, std::size_t N>
std::uint64_t u64_at(Fixed<N> view) {
  return big_endian_at<std::uint64_t, Offset, N>(view);
}

/// A cursor over octets from outside. Reading past the end gives zeros, moves nothing and makes ok() false for good, so that
/// a parser reads all its fields and asks once. Owns nothing.
class ByteReader {
 public:
  constexpr explicit ByteReader(Bytes bytes) : rest_(bytes) {}

  constexpr bool ok() const { return ok_; }
  constexpr std::size_t remaining() const { return rest_.size(); }
  constexpr Bytes rest() const { return rest_; }

  std::uint8_t u8() { return number<std::uint8_t>(); }
  std::uint16_t u16() { return number<std::uint16_t>(); }
  std::uint32_t u24() {
    const std::uint32_t high = u8();
    return high << 16U | u16();
  }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }

  /// The next n octets, or none at all.
  Bytes take(std::size_t n) {
    if (n > rest_.size()) {
      fail();
      return {};
    }
    const Bytes taken = rest_.first(n);
    rest_ = rest_.subspan(n);
    return taken;
  }
  /// The next N octets as a view, or none.
  template <std::size_t N>
  MaybeFixed<N> take() {
    if (N > rest_.size()) {
      fail();
      return {};
    }
    const Fixed<N> taken = rest_.first<N>();
    rest_ = rest_.subspan(N);
    return taken;
  }
  bool skip(std::size_t n) {
    take(n);
    return ok_;
  }

 private:
  template <std::unsigned_integral T>
  T number() {
    const auto view = take<sizeof(T)>();
    return view ? big_endian_at<T, 0>(*view) : T{0};
  }
  constexpr void fail() {
    ok_ = false;
    rest_ = {};
  }

  Bytes rest_;
  bool ok_ = true;
};

/// Fills a space from its start. Writing past the end writes nothing and makes ok() false for good. Owns nothing.
class ByteWriter {
 public:
  constexpr explicit ByteWriter(std::span<std::byte> space) : rest_(space), size_(space.size()) {}

  constexpr bool ok() const { return ok_; }
  constexpr std::size_t written() const { return size_ - rest_.size(); }

  void u8(std::uint8_t value) { number(value); }
  void u16(std::uint16_t value) { number(value); }
  void u24(std::uint32_t value) {
    u8(static_cast<std::uint8_t>(value >> 16U));
    u16(static_cast<std::uint16_t>(value));
  }
  void u32(std::uint32_t value) { number(value); }
  void u64(std::uint64_t value) { number(value); }

  void bytes(Bytes values) {
    if (!ok_ || values.size() > rest_.size()) {
      ok_ = false;
      return;
    }
    if (!values.empty()) std::memcpy(rest_.data(), values.data(), values.size());
    rest_ = rest_.subspan(values.size());
  }

 private:
  template <std::unsigned_integral T>
  void number(T value) {
    const T wire = to_big_endian(value);
    bytes(std::as_bytes(std::span(&wire, 1)));
  }

  std::span<std::byte> rest_;
  std::size_t size_;
  bool ok_ = true;
};

}  // namespace weir
