// Memory for one object at a time, inside its owner. It serves an asynchronous operation of asio: asio asks
// the handler for an allocator, and gives the memory back before the handler runs.
#pragma once

#include <cassert>
#include <cstddef>

namespace weir {

// Threads: one at a time.
template <std::size_t Bytes>
class InPlaceMemory {
 public:
  InPlaceMemory() = default;
  InPlaceMemory(const InPlaceMemory&) = delete;
  InPlaceMemory& operator=(const InPlaceMemory&) = delete;

 private:
  template <typename T, std::size_t>
  friend class InPlaceAllocator;

  alignas(std::max_align_t) std::byte bytes_[Bytes];
  bool is_taken_ = false;
};

// Requires that the object fits (checked at build time) and that there is one at a time (asserted).
template <typename T, std::size_t Bytes = 88>
class InPlaceAllocator {
 public:
  using value_type = T;
  template <typename U>
  struct rebind {
    using other = InPlaceAllocator<U, Bytes>;
  };

  explicit InPlaceAllocator(InPlaceMemory<Bytes>& memory) : memory_(&memory) {}
  template <typename U>
  InPlaceAllocator(const InPlaceAllocator<U, Bytes>& other) : memory_(other.memory_) {}

  T* allocate(std::size_t count) {
    static_assert(sizeof(T) <= Bytes && alignof(T) <= alignof(std::max_align_t));
    assert(count == 1 && !memory_->is_taken_);
    memory_->is_taken_ = true;
    return reinterpret_cast<T*>(memory_->bytes_);
  }
  void deallocate(T*, std::size_t) { memory_->is_taken_ = false; }

  template <typename U>
  bool operator==(const InPlaceAllocator<U, Bytes>& other) const {
    return memory_ == other.memory_;
  }

 private:
  template <typename, std::size_t>
  friend class InPlaceAllocator;

  InPlaceMemory<Bytes>* memory_;
};

}  // namespace weir
