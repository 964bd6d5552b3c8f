// A value, or the reason why there is none. For everything that may fail: input, peers, Redis.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace weir {

// `message` is one line for people that names the mistake.
struct Error {
  std::string message;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  // Not explicit: `return value;` and `return Error{...};` read well.
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return has_value(); }
  bool has_value() const { return std::holds_alternative<T>(state_); }
  // Requires has_value().
  T& value() { return std::get<T>(state_); }
  const T& value() const { return std::get<T>(state_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  // Requires !has_value().
  const Error& error() const { return std::get<Error>(state_); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace weir
