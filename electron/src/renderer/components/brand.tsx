export function Brand() {
  return (
    <div className="brand">
      <svg width="28" height="28" viewBox="0 0 28 28" aria-hidden="true">
        <rect width="28" height="28" rx="8" fill="var(--mantine-color-river-7)" />
        {[5, 11, 17, 9, 13, 6].map((height, index) => (
          <rect key={index} x={5 + index * 3.2} y={14 - height / 2} width="1.9" height={height} rx="0.95" fill="white" />
        ))}
      </svg>
      Dipper
    </div>
  );
}
