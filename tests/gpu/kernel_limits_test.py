import unittest

import kernel_limits

OUTPUT = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN6sluice4cuda41_GLOBAL__N__6c266731_9_matmul_cu_e8a0df0d12matmul_tilesENS1_7ProductE' for 'sm_80'
ptxas info    : Function properties for _ZN6sluice4cuda12matmul_tilesE
    0 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 48 registers, used 1 barriers, 8704 bytes smem
ptxas info    : Compiling entry function '_ZN6sluice4cuda39_GLOBAL__N__6c266731_7_copy_cu_e8a0df0d13copy_elementsIhEEvNS1_4CopyE' for 'sm_90'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers
ptxas info    : Compiling entry function '_ZN6sluice4cuda39_GLOBAL__N__6c266731_7_copy_cu_e8a0df0d13copy_elementsItEEvNS1_4CopyE' for 'sm_90'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 0 barriers
"""


class KernelLimits(unittest.TestCase):
    def test_reads_the_worst_of_a_kernels_instantiations(self):
        usage = kernel_limits.read_usage(OUTPUT)

        self.assertEqual(usage, {("matmul_tiles", "80"): (48, 12), ("copy_elements", "90"): (40, 0)})

    def test_says_which_kernel_broke_which_limit(self):
        usage = kernel_limits.read_usage(OUTPUT)
        limits = kernel_limits.read_limits("kernel\tarch\tregisters\tspill_bytes\nmatmul_tiles\t80\t47\t0\ngone\t90\t1\t0\n")

        self.assertEqual(
            kernel_limits.compare(usage, limits),
            [
                "copy_elements (sm_90): no limit is recorded; it has 40 registers and spills 0 bytes",
                "matmul_tiles (sm_80): 48 registers, at most 47 are allowed",
                "matmul_tiles (sm_80): spills 12 bytes, at most 0 are allowed",
                "gone (sm_90): a limit of a kernel that there is not",
            ],
        )

    def test_takes_what_it_recorded_and_never_records_a_spill(self):
        usage = {("copy_elements", "90"): (40, 8)}
        limits = kernel_limits.read_limits(kernel_limits.write_limits(usage))

        self.assertEqual(len(kernel_limits.compare(usage, limits)), 1)
        self.assertEqual(kernel_limits.compare({("copy_elements", "90"): (40, 0)}, limits), [])


if __name__ == "__main__":
    unittest.main()
