// A queue in one block of memory. Not a std::deque: an empty one takes 600 bytes, times 50,000 channels.
#pragma once

#include <cassert>
#include <cstddef>
#include <memory>
#include <utility>

namespace weir {

// Grows by doubling and shrinks when it empties. Index 0 is the oldest element. Threads: one at a time.
template <typename T>
class Ring {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t index) {
    assert(index < size_);
    return slots_[(first_ + index) & (capacity_ - 1)];
  }
  const T& operator[](std::size_t index) const {
    assert(index < size_);
    return slots_[(first_ + index) & (capacity_ - 1)];
  }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == capacity_) resize(capacity_ == 0 ? kCapacityMin : capacity_ * 2);
    slots_[(first_ + size_) & (capacity_ - 1)] = std::move(value);
    ++size_;
  }
  void pop_front() {
    assert(size_ > 0);
    slots_[first_] = T();
    first_ = (first_ + 1) & (capacity_ - 1);
    --size_;
    if (size_ == 0 && capacity_ > kCapacityMin) {
      slots_.reset();
      capacity_ = first_ = 0;
    } else if (capacity_ > kCapacityMin && size_ * 8 < capacity_) {
      resize(capacity_ / 4 < kCapacityMin ? kCapacityMin : capacity_ / 4);
    }
  }

 private:
  static constexpr std::size_t kCapacityMin = 4;

  void resize(std::size_t capacity) {
    auto slots = std::make_unique<T[]>(capacity);
    for (std::size_t i = 0; i < size_; ++i) slots[i] = std::move((*this)[i]);
    slots_ = std::move(slots);
    capacity_ = capacity;
    first_ = 0;
  }

  std::unique_ptr<T[]> slots_;
  std::size_t capacity_ = 0;  // 0 or a power of two.
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace weir
