#pragma once

#include "sluice/core/image.h"
#include "sluice/core/status.h"

#include <cstdint>
#include <memory>
#include <span>

namespace sluice {

// How a camera was held, 1..8 as Exif 2.3 (tag 0x0112) counts, out of the contents of a JPEG's APP1
// marker; 1, upright, where it says nothing or nothing sensible.
int exif_orientation(std::span<const std::uint8_t> app1);

// The picture turned and mirrored so that it stands upright. REQUIRES: 1 <= orientation <= 8.
// Errors: those of Image::allocate.
Result<Image> apply_orientation(const Image& image, int orientation,
                                const std::shared_ptr<MemoryBudget>& budget);

}  // namespace sluice
