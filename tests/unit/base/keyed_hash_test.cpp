#include "broker/base/keyed_hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace weir {
namespace {

// Sixteen names' worth of a stage, and so many stages: 16^3 names of one hash.
constexpr std::size_t kAlternatives = 16;
constexpr std::size_t kStages = 3;

// Of n names in at least n buckets none holds so many, but once in 10^9 runs.
constexpr std::size_t kFullestMax = 16;

template <typename Container>
std::size_t fullest_bucket(const Container& container) {
  std::size_t fullest = 0;
  for (std::size_t i = 0; i < container.bucket_count(); ++i) {
    fullest = std::max(fullest, container.bucket_size(i));
  }
  return fullest;
}

// libstdc++'s hash of strings (MurmurHash64A, its seed a constant) mixes each eight bytes by a function that
// has an inverse: to any first block there is a second one that takes its difference back. Where both consist
// of the characters of names, they are two blocks of a name, and stages of such pairs are names of one hash.
class MurmurCollisions {
 public:
  std::vector<std::string> names() {
    std::vector<std::string> names{""};
    std::uint64_t state = kSeed ^ (16 * kStages * kMul);
    for (std::size_t stage = 0; stage < kStages; ++stage) {
      const std::vector<std::string> pairs = stage_from(state);
      std::vector<std::string> longer;
      for (const std::string& name : names) {
        for (const std::string& pair : pairs) longer.push_back(name + pair);
      }
      names.swap(longer);
    }
    return names;
  }

 private:
  static constexpr std::uint64_t kSeed = 0xc70f6907;
  static constexpr std::uint64_t kMul = 0xc6a4a7935bd1e995;
  static constexpr std::string_view kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@-";

  static std::uint64_t mix(std::uint64_t block) {
    block *= kMul;
    return (block ^ (block >> 47)) * kMul;
  }
  static std::uint64_t unmix(std::uint64_t mixed) {
    std::uint64_t inverse = kMul;  // Newton: each step doubles the bits that are right.
    for (int i = 0; i < 6; ++i) inverse *= 2 - kMul * inverse;
    mixed *= inverse;
    return (mixed ^ (mixed >> 47)) * inverse;
  }
  static bool is_of_names(std::uint64_t block) {
    for (; block != 0; block >>= 8) {
      if (kCharacters.find(static_cast<char>(block & 0xff)) == std::string_view::npos) return false;
    }
    return true;
  }
  std::uint64_t next_block() {
    std::uint64_t block = 0;
    std::size_t digits = ++counter_;
    for (int i = 0; i < 8; ++i, digits /= kCharacters.size()) {
      block = block << 8 | static_cast<unsigned char>(kCharacters[digits % kCharacters.size()]);
    }
    return block;
  }
  static std::string text_of(std::uint64_t first, std::uint64_t second) {
    std::string text(16, '\0');
    std::memcpy(text.data(), &first, 8);
    std::memcpy(text.data() + 8, &second, 8);
    return text;
  }

  // Pairs of blocks that take `state` to the same next one.
  std::vector<std::string> stage_from(std::uint64_t& state) {
    std::vector<std::string> pairs;
    const std::uint64_t target = ((state ^ mix(next_block())) * kMul) ^ mix(next_block());
    while (pairs.size() < kAlternatives) {
      const std::uint64_t first = next_block();
      const std::uint64_t second = unmix(((state ^ mix(first)) * kMul) ^ target);
      if (second >> 56 != 0 && is_of_names(second)) pairs.push_back(text_of(first, second));
    }
    state = target * kMul;
    return pairs;
  }

  std::size_t counter_ = 0;
};

TEST(KeyedHash, IsSipHashOneThree) {
  EXPECT_EQ(keyed_hash({0x0706050403020100, 0x0f0e0d0c0b0a0908}, ""), 0xabac0158050fc4dc);
  // What Python 3.11 gives with PYTHONHASHSEED=0 for bytes of all lengths about a block.
  EXPECT_EQ(keyed_hash({}, "a"), 0x407448d2b89b1813);
  EXPECT_EQ(keyed_hash({}, "user:42"), 0x223dd74fb15f308d);
  EXPECT_EQ(keyed_hash({}, "user:420"), 0x96b9e9bb2e7bff44);
  EXPECT_EQ(keyed_hash({}, "build.log-7 \xff\xfe"), 0x5004445f4e985d2c);
}

TEST(KeyedHash, HasAnotherKeyEachTime) {
  const NameHash one;
  const NameHash other;
  EXPECT_NE(one("news"), other("news"));
  EXPECT_EQ(one("news"), NameHash{one}("news"));
}

TEST(KeyedHash, SpreadsNamesThatWereChosenForOneBucket) {
  const std::vector<std::string> names = MurmurCollisions().names();
#if defined(__GLIBCXX__) && __SIZEOF_SIZE_T__ == 8
  // They are what they are said to be.
  const auto hash = std::hash<std::string>{}(names.front());
  const auto is_like_the_first = [&](const auto& name) { return std::hash<std::string>{}(name) == hash; };
  ASSERT_TRUE(std::all_of(names.begin(), names.end(), is_like_the_first));
#endif
  NameMap<int> map;
  NameSet set;
  for (const std::string& name : names) {
    map.emplace(name, 0);
    set.insert(name);
  }
  ASSERT_EQ(map.size(), names.size());
  EXPECT_LE(fullest_bucket(map), kFullestMax);
  EXPECT_LE(fullest_bucket(set), kFullestMax);
}

}  // namespace
}  // namespace weir
