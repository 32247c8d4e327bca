/** Width of the vectors for which the kernels are built: 128 or 256. The build defines it. */
declare const VECTOR_BITS: i32;
