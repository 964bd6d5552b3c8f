#include "bench/load/stamp.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::bench {
namespace {

std::vector<Stamp> stamps_of(std::string_view text, std::size_t piece) {
  StampScanner scanner;
  std::vector<Stamp> stamps;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    scanner.scan(text.substr(0, piece), [&](const Stamp& stamp) { stamps.push_back(stamp); });
  }
  return stamps;
}

TEST(Stamp, PayloadHasTheSizeThatWasAskedFor) {
  for (const std::size_t bytes : {kPayloadBytesMin, std::size_t{128}, std::size_t{4096}}) {
    const std::string payload = make_payload(bytes, {42, 1234567890123});
    EXPECT_EQ(payload.size(), bytes);
    EXPECT_TRUE(payload.starts_with(R"({"msg":"@load 0000000042 0000001234567890123)")) << payload;
    EXPECT_TRUE(payload.ends_with(R"("})")) << payload;
  }
}

TEST(StampScanner, FindsEveryStampWhereverTheBytesAreCut) {
  std::string text;
  for (std::uint64_t i = 0; i < 3; ++i) {
    text += "data: " + make_payload(kPayloadBytesMin + i, {i, static_cast<std::int64_t>(1000 + i)}) +
            "\nid: 0Q-" + std::to_string(i) + "\n\n";
  }
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const auto stamps = stamps_of(text, piece);
    ASSERT_EQ(stamps.size(), 3u) << piece;
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(stamps[i].sequence, i) << piece;
      EXPECT_EQ(stamps[i].due_ns, static_cast<std::int64_t>(1000 + i)) << piece;
    }
  }
}

TEST(StampScanner, WhatOnlyLooksLikeAStampHidesNone) {
  const std::string text =
      "@ @load @load x @load 00000000a2 0000001234567890123 @@load 0000000007 0000000000000000009";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const auto stamps = stamps_of(text, piece);
    ASSERT_EQ(stamps.size(), 1u) << piece;
    EXPECT_EQ(stamps[0].sequence, 7u) << piece;
    EXPECT_EQ(stamps[0].due_ns, 9) << piece;
  }
}

}  // namespace
}  // namespace weir::bench
